/* What systemd hears: binds the datagram socket that its argument names, says "listening", and
 * prints each message as one line, its own lines joined by blanks (sd_notify(3)). */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char message[4096];
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (argc != 2 || fd < 0) return 1;
  snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) return 1;
  puts("listening");
  for (;;) {
    fflush(stdout);
    ssize_t n = recv(fd, message, sizeof message - 1, 0);
    if (n < 0) return 1;
    message[n] = '\0';
    for (char *p = message; (p = strchr(p, '\n'));) *p = ' ';
    puts(message);
  }
}
