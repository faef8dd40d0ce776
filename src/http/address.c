#include "http/address.h"

#include <arpa/inet.h>

enum { ADDRESS_V4_BYTES = 12 /* before an IPv4 address: ::ffff: */ };

bool address_parse(struct bytes text, struct address *ret_address) {
  struct address a = {0};
  char copy[ADDRESS_SIZE];
  if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, '\0', text.len)) return false;
  memcpy(copy, text.ptr, text.len);
  copy[text.len] = '\0';
  if (inet_pton(AF_INET, copy, a.bytes + ADDRESS_V4_BYTES) == 1) {
    a.bytes[10] = a.bytes[11] = 0xff;
  } else if (inet_pton(AF_INET6, copy, a.bytes) != 1) {
    return false;
  }
  *ret_address = a;
  return true;
}

bool address_is_v4(const struct address *a) {
  static const unsigned char before[ADDRESS_V4_BYTES] = {[10] = 0xff, [11] = 0xff};
  return memcmp(a->bytes, before, sizeof before) == 0;
}

void address_format(const struct address *a, char out[ADDRESS_SIZE]) {
  out[0] = '\0';
  if (address_is_v4(a)) {
    inet_ntop(AF_INET, a->bytes + ADDRESS_V4_BYTES, out, ADDRESS_SIZE);
  } else {
    inet_ntop(AF_INET6, a->bytes, out, ADDRESS_SIZE);
  }
}

bool address_is_in(const struct address *a, const struct address *network, int bits) {
  size_t whole = (size_t)bits / 8;
  int rest = bits % 8;
  if (memcmp(a->bytes, network->bytes, whole) != 0) return false;
  return rest == 0 || ((a->bytes[whole] ^ network->bytes[whole]) >> (8 - rest)) == 0;
}
