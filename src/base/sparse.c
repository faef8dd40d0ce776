#include "base/sparse.h"

#include <sys/mman.h>

void *sparse_alloc(size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

void sparse_free(void *memory, size_t size) {
  if (memory) munmap(memory, size);
}
