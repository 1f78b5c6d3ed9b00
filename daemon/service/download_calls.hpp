#pragma once

#include "daemon/jobs/downloads.hpp"
#include "daemon/service/dispatcher.hpp"

namespace wharf::service {

/// Adds the methods of org.wharf.Downloads. Requires: `downloads` outlives the dispatcher.
void add_download_calls(Dispatcher& dispatcher, jobs::Downloads& downloads);

} // namespace wharf::service
