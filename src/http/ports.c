#include "http/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORTS_BACKLOG = 4096 }; /* the kernel has its own limit, net.core.somaxconn */

static socklen_t port_address(const char *address, int number, struct sockaddr_storage *out) {
  memset(out, 0, sizeof *out);
  struct sockaddr_in *v4 = (struct sockaddr_in *)out;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
  if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)number);
    return sizeof *v4;
  }
  if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)number);
    return sizeof *v6;
  }
  return 0;
}

static int port_bound(int fd) {
  struct sockaddr_in6 a = {0}; /* the larger of the two; the port has the same place in both */
  socklen_t len = sizeof a;
  if (getsockname(fd, (struct sockaddr *)&a, &len) != 0) return 0;
  return ntohs(a.sin6_port);
}

static enum status port_refused(struct error *err, int number) {
  switch (errno) {
    case EADDRINUSE: return error_set(err, STATUS_IO, "port", "port %d is in use", number);
    case EACCES:
      return error_set(err, STATUS_DENIED, "port", "port %d needs privileges to listen on", number);
    default:
      return error_set(err, STATUS_IO, "port", "cannot listen on port %d: %s", number,
                       strerrordesc_np(errno));
  }
}

static enum status address_refused(struct error *err, const char *address, int number) {
  if (errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT) return port_refused(err, number);
  return error_set(err, STATUS_UNSUPPORTED, "host", "this machine has no address %s", address);
}

static enum status port_bind(struct ports *ports, const char *address, int number, bool is_ws,
                             struct error *err) {
  struct sockaddr_storage a;
  socklen_t len = port_address(address, number, &a);
  if (len == 0) {
    return error_set(err, STATUS_INVALID, "host", "%s is no IPv4 or IPv6 address", address);
  }
  int fd = socket(a.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return address_refused(err, address, number);
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  /* Each family has its own socket, so that "::1" and "127.0.0.1" never get in each other's way. */
  if (a.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&a, len) != 0) {
    enum status status = address_refused(err, address, number);
    close(fd);
    return status;
  }
  ports->all[ports->count++] = (struct port){fd, port_bound(fd), is_ws};
  return STATUS_OK;
}

/* The host that was asked for, or both loopbacks, of which ::1 may be missing. */
static enum status port_bind_everywhere(struct ports *ports, const char *host, int number,
                                        bool is_ws, struct error *err) {
  bool named = host && strcmp(host, "localhost") != 0;
  enum status status = port_bind(ports, named ? host : "127.0.0.1", number, is_ws, err);
  if (status || host) return status;
  int bound = ports->all[ports->count - 1].number;
  status = port_bind(ports, "::1", bound, is_ws, err);
  return status == STATUS_UNSUPPORTED ? STATUS_OK : status;
}

enum status ports_bind(struct ports *ports, const char *host, int port, int ws_port,
                       struct error *err) {
  *ports = (struct ports){0};
  enum status status = port_bind_everywhere(ports, host, port, false, err);
  if (!status && ws_port != 0)
    status = port_bind_everywhere(ports, host, ws_port > 0 ? ws_port : 0, true, err);
  if (status) ports_close(ports);
  return status;
}

enum status ports_listen(const struct ports *ports, struct error *err) {
  for (size_t i = 0; i < ports->count; i++) {
    const struct port *p = &ports->all[i];
    if (listen(p->fd, PORTS_BACKLOG) != 0) return port_refused(err, p->number);
  }
  return STATUS_OK;
}

void ports_close(struct ports *ports) {
  for (size_t i = 0; i < ports->count; i++) close(ports->all[i].fd);
  ports->count = 0;
}
