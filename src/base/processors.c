#include "base/processors.h"

#include <unistd.h>

size_t processors_online(void) {
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? (size_t)count : 1;
}
