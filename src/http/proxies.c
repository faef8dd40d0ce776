#include "http/proxies.h"

#include <stdlib.h>

static struct bytes proxies_trim(struct bytes text) {
  while (text.len > 0 && strchr(" \t", text.ptr[0])) text.ptr++, text.len--;
  while (text.len > 0 && strchr(" \t", text.ptr[text.len - 1])) text.len--;
  return text;
}

static bool proxies_parse_bits(struct bytes text, int most, int *ret_bits) {
  int bits = 0;
  if (text.len == 0 || text.len > 3) return false;
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
    bits = bits * 10 + (text.ptr[i] - '0');
  }
  *ret_bits = bits;
  return bits <= most;
}

static bool proxies_parse_network(struct bytes item, struct address *ret_network, int *ret_bits) {
  const char *slash = memchr(item.ptr, '/', item.len);
  size_t len = slash ? (size_t)(slash - item.ptr) : item.len;
  if (!address_parse((struct bytes){item.ptr, len}, ret_network)) return false;
  *ret_bits = ADDRESS_BITS;
  if (!slash) return true;
  /* By the spelling: ::ffff:10.0.0.0/104 counts its bits as IPv6. */
  int before = memchr(item.ptr, ':', len) ? 0 : ADDRESS_V4_BITS;
  struct bytes bits = {slash + 1, item.len - len - 1};
  if (!proxies_parse_bits(bits, ADDRESS_BITS - before, ret_bits)) return false;
  *ret_bits += before;
  return true;
}

static enum status proxies_add(struct proxies *p, struct bytes item, struct error *err) {
  if (bytes_equal_nocase(item, BYTES_LITERAL("localhost"))) {
    enum status status = proxies_add(p, BYTES_LITERAL("127.0.0.0/8"), err);
    return status ? status : proxies_add(p, BYTES_LITERAL("::1"), err);
  }
  if (p->count == PROXIES_MAX) {
    return error_set(err, STATUS_INVALID, "ARAGORA_TRUSTED_PROXIES",
                     "ARAGORA_TRUSTED_PROXIES (--trusted-proxies) names more than %d", PROXIES_MAX);
  }
  if (!proxies_parse_network(item, &p->list[p->count].network, &p->list[p->count].bits)) {
    return error_set(err, STATUS_INVALID, "ARAGORA_TRUSTED_PROXIES",
                     "ARAGORA_TRUSTED_PROXIES (--trusted-proxies) must be a list of addresses "
                     "(192.0.2.1, 2001:db8::1), networks (10.0.0.0/8, fd00::/8) and localhost, or "
                     "none; not \"%.*s\"",
                     (int)(item.len < 64 ? item.len : 64), item.ptr);
  }
  p->count++;
  return STATUS_OK;
}

enum status proxies_init(struct proxies *p, const char *text, struct error *err) {
  *p = (struct proxies){0};
  if (!text) text = "localhost";
  if (bytes_equal_nocase(proxies_trim(bytes_of(text)), BYTES_LITERAL("none"))) return STATUS_OK;
  enum status status = STATUS_OK;
  while (*text && !status) {
    size_t n = strcspn(text, ",");
    struct bytes item = proxies_trim((struct bytes){text, n});
    if (item.len > 0) status = proxies_add(p, item, err);
    text += n + (text[n] == ',');
  }
  return status;
}

bool proxies_trust(const struct proxies *p, const struct address *a) {
  for (size_t i = 0; i < p->count; i++) {
    if (address_is_in(a, &p->list[i].network, p->list[i].bits)) return true;
  }
  return false;
}

/* One hop: an address, with its port where a proxy adds one ("192.0.2.1:80", "[2001:db8::1]:80").
 */
static bool proxies_parse_hop(struct bytes hop, struct address *ret_address) {
  hop = proxies_trim(hop);
  if (hop.len == 0) return false;
  if (hop.ptr[0] == '[') {
    const char *end = memchr(hop.ptr, ']', hop.len);
    return end &&
           address_parse((struct bytes){hop.ptr + 1, (size_t)(end - hop.ptr) - 1}, ret_address);
  }
  const char *colon = memchr(hop.ptr, ':', hop.len);
  size_t before = colon ? (size_t)(colon - hop.ptr) : hop.len;
  if (colon && !memchr(colon + 1, ':', hop.len - before - 1)) hop.len = before;
  return address_parse(hop, ret_address);
}

struct address proxies_find_client(const struct proxies *p, const struct address *peer,
                                   const char *forwarded_for, const char *real_ip) {
  struct address client = *peer;
  if (!proxies_trust(p, peer)) return client;
  if (!forwarded_for) {
    if (real_ip) proxies_parse_hop(bytes_of(real_ip), &client);
    return client;
  }
  struct bytes rest = bytes_of(forwarded_for);
  for (int i = 0; i < PROXIES_HOPS_MAX; i++) {
    const char *comma = rest.len > 0 ? memrchr(rest.ptr, ',', rest.len) : NULL;
    size_t from = comma ? (size_t)(comma - rest.ptr) + 1 : 0;
    struct bytes hop = {rest.ptr + from, rest.len - from};
    /* What is no address is no word of a proxy of ours: who brought it stands. */
    if (!proxies_parse_hop(hop, &client)) return client;
    if (!comma || !proxies_trust(p, &client)) return client;
    rest.len = from - 1;
  }
  return client;
}
