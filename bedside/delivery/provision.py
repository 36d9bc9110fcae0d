"""Setting up the way to AWS, and taking it away again.

The monitor's private key is made on this machine and never leaves it: AWS gets a request that the
key has signed, and answers with a certificate. Running it again changes only what is missing.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from bedside.delivery import aws
from bedside.delivery.aws import AwsError
from bedside.delivery.secret_file import check_secret_file, check_secret_place
from bedside.errors import DeliveryError
from bedside.private_file import write_private

PHONES = ("FirstPhone", "SecondPhone", "ThirdPhone")
_POLL_S = 0.5
_PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class Installation:
    """What is to be set up: a thing, who is texted in which order, and where its files lie."""

    thing: str
    phones: tuple[str, ...]
    certificate_file: Path
    key_file: Path
    acknowledge_key_file: Path

    @property
    def stack(self) -> str:
        """The name of its CloudFormation stack."""
        return f"bedside-{self.thing}"

    @property
    def policy(self) -> str:
        """The name of the policy in that stack."""
        return f"bedside-{self.thing}"


def template() -> str:
    """The CloudFormation template."""
    return resources.files("bedside.delivery").joinpath("template.yaml").read_text("utf-8")


def plan(what: Installation) -> list[str]:
    """What `provision` would do, a sentence each."""
    texted = [phone for phone in what.phones if phone]
    return [
        f"make the private key {what.key_file} here, unless it is there",
        f"make the key {what.acknowledge_key_file} for acknowledgements, unless it is there",
        f"deploy the CloudFormation stack {what.stack}: thing {what.thing}, its policy, an"
        f" encrypted topic per contact ({len(texted)} with a phone), rules, an error queue",
        f"have the certificate {what.certificate_file} issued for that key and attach it",
        "set the account's default SMS type to Transactional",
    ]


def provision(what: Installation, say: Callable[[str], None]) -> str:
    """Set it up; `say` hears each step. Returns the endpoint. Raises `DeliveryError`."""
    cloud_formation, iot = aws.client("cloudformation"), aws.client("iot")
    say(_make_file(what.key_file, _new_private_key))
    say(_make_file(what.acknowledge_key_file, lambda: secrets.token_hex(32).encode()))
    _deploy(cloud_formation, what, say)
    with aws.in_words():
        arn = _own_certificate(iot, what)
        if arn is None:
            arn = _issue(iot, what)
            say(f"issued the certificate {what.certificate_file}")
        else:
            say(f"kept the certificate {what.certificate_file}")
        iot.attach_policy(policyName=what.policy, target=arn)
        iot.attach_thing_principal(thingName=what.thing, principal=arn)
        for other in _certificates(iot, what):
            if other != arn:
                # Its key may be in other hands by now.
                _delete_certificate(iot, what.thing, other)
                say(f"deleted an earlier certificate of {what.thing}")
        endpoint = str(iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"])
    try:
        with aws.in_words():
            aws.client("sns").set_sms_attributes(attributes={"DefaultSMSType": "Transactional"})
        say("set the account's default SMS type to Transactional")
    except AwsError as error:
        say(f"left the account's default SMS type as it is: {error}")
    return endpoint


def remove(what: Installation, say: Callable[[str], None]) -> None:
    """Take it away: certificates, stack, and this machine's files. Raises `DeliveryError`."""
    cloud_formation, iot = aws.client("cloudformation"), aws.client("iot")
    with aws.in_words():
        for arn in _certificates(iot, what):
            _delete_certificate(iot, what.thing, arn)
            say(f"deleted a certificate of {what.thing}")
        cloud_formation.delete_stack(StackName=what.stack)
    _wait(cloud_formation, what.stack, ("DELETE_COMPLETE",))
    say(f"deleted the stack {what.stack}")
    for path in (what.certificate_file, what.key_file, what.acknowledge_key_file):
        if path.exists():
            path.unlink()
            say(f"deleted {path}")


def acknowledge(message: bytes, topic: str) -> None:
    """Publish an acknowledgement, with the operator's own AWS credentials.

    Raises `AwsError`.
    """
    iot = aws.client("iot")
    with aws.in_words():
        endpoint = iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
        data = _data_client(endpoint)
        data.publish(topic=topic, qos=1, payload=message)


def _data_client(endpoint: str) -> Any:
    import boto3

    # A stand-in on another address says so in the environment.
    given = os.environ.get("AWS_ENDPOINT_URL")
    return boto3.client("iot-data", endpoint_url=given or f"https://{endpoint}")


# ── this machine's files ──────────────────────────────────────────────────────────────────────


def _make_file(path: Path, content: Callable[[], bytes]) -> str:
    if path.exists():
        check_secret_file(path)
        return f"kept {path}"
    check_secret_place(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, content())
    except OSError as error:
        raise DeliveryError(
            f"{path} cannot be written ({error.strerror}): choose another folder in"
            " alerts.iot_core, or run this as a user who may."
        ) from error
    return f"made {path}"


def _new_private_key() -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _request(key_file: Path, thing: str) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import NameOID

    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise DeliveryError(f"{key_file} is not a private key: move it away.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise DeliveryError(f"{key_file} is a key of a kind that AWS does not take: move it away.")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, thing)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


# ── at AWS ────────────────────────────────────────────────────────────────────────────────────


def _deploy(cloud_formation: Any, what: Installation, say: Callable[[str], None]) -> None:
    phones = [*what.phones, "", "", ""][: len(PHONES)]
    values = {"ThingName": what.thing, **dict(zip(PHONES, phones, strict=True))}
    arguments = {
        "StackName": what.stack,
        "TemplateBody": template(),
        "Capabilities": ["CAPABILITY_IAM"],
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value} for key, value in values.items()
        ],
    }
    try:
        with aws.in_words():
            cloud_formation.create_stack(**arguments)
        say(f"deploying the stack {what.stack}")
    except AwsError as error:
        if error.code != "AlreadyExistsException":
            raise
        _update(cloud_formation, arguments, say)
    _wait(cloud_formation, what.stack, ("CREATE_COMPLETE", "UPDATE_COMPLETE"))


def _update(cloud_formation: Any, arguments: dict[str, Any], say: Callable[[str], None]) -> None:
    try:
        with aws.in_words():
            cloud_formation.update_stack(**arguments)
        say(f"updating the stack {arguments['StackName']}")
    except AwsError as error:
        if "No updates" not in str(error):
            raise
        say(f"kept the stack {arguments['StackName']}")


def _wait(cloud_formation: Any, stack: str, wanted: Sequence[str]) -> None:
    deadline_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline_s:
        try:
            with aws.in_words():
                [found] = cloud_formation.describe_stacks(StackName=stack)["Stacks"]
        except AwsError as error:
            if "DELETE_COMPLETE" in wanted and error.code == "ValidationError":
                return
            raise
        status = str(found["StackStatus"])
        if status in wanted:
            return
        if not status.endswith("_IN_PROGRESS"):
            raise DeliveryError(
                f"The stack {stack} ended as {status}: look at its events in the AWS console, then"
                " run bedside cloud remove."
            )
        time.sleep(_POLL_S)
    raise DeliveryError(f"The stack {stack} is not ready after {_PATIENCE_S:.0f} s: try again.")


def _certificates(iot: Any, what: Installation) -> list[str]:
    """Those of the thing and those of its policy, which an interrupted run may have left apart."""
    found = [
        *_listed(lambda: iot.list_thing_principals(thingName=what.thing)["principals"]),
        *_listed(lambda: iot.list_targets_for_policy(policyName=what.policy)["targets"]),
    ]
    return [arn for arn in dict.fromkeys(found) if ":cert/" in arn]


def _listed(ask: Callable[[], list[str]]) -> list[str]:
    try:
        with aws.in_words():
            return ask()
    except AwsError as error:
        if error.code == "ResourceNotFoundException":
            return []
        raise


def _delete_certificate(iot: Any, thing: str, arn: str) -> None:
    for policy in iot.list_attached_policies(target=arn)["policies"]:
        iot.detach_policy(policyName=policy["policyName"], target=arn)
    if arn in _listed(lambda: iot.list_thing_principals(thingName=thing)["principals"]):
        iot.detach_thing_principal(thingName=thing, principal=arn)
    identity = _certificate_id(arn)
    iot.update_certificate(certificateId=identity, newStatus="INACTIVE")
    iot.delete_certificate(certificateId=identity)


def _certificate_id(arn: str) -> str:
    return arn.rpartition("/")[2]


def _own_certificate(iot: Any, what: Installation) -> str | None:
    """The ARN of the certificate on this machine, if the cloud still takes it for this key."""
    from bedside.delivery.check import certificate_faults

    faults = certificate_faults(what.certificate_file, what.key_file)
    if not what.certificate_file.exists() or faults:
        return None
    own = what.certificate_file.read_text().split()
    for arn in _certificates(iot, what):
        described = iot.describe_certificate(certificateId=_certificate_id(arn))
        known = described["certificateDescription"]
        if known["status"] == "ACTIVE" and known["certificatePem"].split() == own:
            return arn
    return None


def _issue(iot: Any, what: Installation) -> str:
    issued = iot.create_certificate_from_csr(
        certificateSigningRequest=_request(what.key_file, what.thing), setAsActive=True
    )
    try:
        what.certificate_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(what.certificate_file, issued["certificatePem"].encode())
    except OSError as error:
        raise DeliveryError(
            f"{what.certificate_file} cannot be written ({error.strerror})."
        ) from error
    return str(issued["certificateArn"])
