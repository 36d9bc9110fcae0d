#pragma once

#include "credentials.hpp"

namespace bedside::node {

/// Fetches, checks and boots the image at CONFIG_BEDSIDE_UPDATE_URL, in a task of its own; what
/// keeps it from that is logged. An image comes from a server under the node's own CA, and only
/// into a build that checks its signature.
void start_update(const Credentials& credentials);

/// The image that runs has reached its broker: it stays. Without this the next start rolls back.
void confirm_update();

}  // namespace bedside::node
