"""Asking AWS: the optional client library, and its errors in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bedside.errors import DeliveryError

CONNECT_S = 1.0
READ_S = 2.0


class AwsError(DeliveryError):
    """AWS cannot be asked, or refused; `code` is its own word for it, if it answered."""

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code


def client(service: str, *, patient: bool = True) -> Any:
    """A client of one AWS service, with the credentials and region of the environment.

    An impatient one tries once, for seconds at most. Raises `AwsError` where the extra is missing.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise AwsError("This needs the extra cloud: pip install 'bedside[cloud]'.") from error
    quick = Config(
        connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"total_max_attempts": 1}
    )
    with in_words():
        # A session of its own, since the shared one is not made for several threads.
        return boto3.Session().client(service, config=None if patient else quick)


@contextmanager
def in_words() -> Iterator[None]:
    """Turns whatever the client library raises into `AwsError`."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        NoRegionError,
        PartialCredentialsError,
    )
    from botocore.parsers import ResponseParserError

    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise AwsError(
            "There are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY."
        ) from error
    except NoRegionError as error:
        raise AwsError("No AWS region is chosen: set AWS_DEFAULT_REGION.") from error
    except ClientError as error:
        said = error.response.get("Error", {})
        raise AwsError(
            f"AWS refused {error.operation_name}: {said.get('Message', error)}",
            str(said.get("Code", "")),
        ) from error
    except BotoCoreError as error:
        raise AwsError(f"AWS cannot be asked: {error}.") from error
    except ResponseParserError as error:
        raise AwsError(
            "What answered is not AWS: a proxy or a sign-in page may stand between."
        ) from error
