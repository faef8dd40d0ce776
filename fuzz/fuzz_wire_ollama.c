/* The ollama decoder takes any bytes, and what it makes of them does not depend on how they are
 * cut. The first byte chooses the cut. */
#include "wire_cuts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  wire_cuts_agree(WIRE_OLLAMA, data, size);
  return 0;
}
