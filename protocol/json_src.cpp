// Boost.JSON's implementation, compiled once: Debian's package has it as headers only.
#include <boost/json/src.hpp>
