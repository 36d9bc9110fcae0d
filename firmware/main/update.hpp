#pragma once

#include "credentials.hpp"

namespace bedside::node {

/// Fetches, checks and boots the image at CONFIG_BEDSIDE_UPDATE_URL; does nothing where that is
/// empty. An image is taken only from the node's own CA, and its signature is checked where the
/// build signs applications. Returns only where there was no update.
void update(const Credentials& credentials);

/// The image that runs has reached its broker: it stays. Without this the next start rolls back.
void confirm_update();

}  // namespace bedside::node
