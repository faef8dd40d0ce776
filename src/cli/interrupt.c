#include "cli/interrupt.h"

#include "cli/command.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

static atomic_int count;
static atomic_bool reload;
static int limit;
static int event_fd = -1;

static void caught(int signal_number) {
  (void)signal_number;
  int saved = errno;
  uint64_t one = 1;
  if (atomic_fetch_add(&count, 1) + 1 >= limit) _exit(CLI_INTERRUPTED);
  ssize_t n = write(event_fd, &one, sizeof one);
  (void)n; /* it only fails when it is readable anyway */
  errno = saved;
}

/* The kernel sends it when the terminal goes; all else is kill(2), or sigqueue(3). */
static void hung_up(int signal_number, siginfo_t *info, void *context) {
  (void)context;
  if (info->si_code == SI_KERNEL) {
    caught(signal_number);
    return;
  }
  int saved = errno;
  uint64_t one = 1;
  atomic_store(&reload, true);
  ssize_t n = write(event_fd, &one, sizeof one);
  (void)n; /* it only fails when it is readable anyway */
  errno = saved;
}

void interrupt_catch(int last) {
  limit = last;
  if (event_fd < 0) event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct sigaction action = {.sa_handler = caught, .sa_flags = SA_RESTART};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  struct sigaction before;
  /* The terminal is gone; under nohup it is ignored and stays so. */
  if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
    sigaction(SIGHUP, &action, NULL);
}

void interrupt_catch_reload(void) {
  struct sigaction action = {.sa_sigaction = hung_up, .sa_flags = SA_RESTART | SA_SIGINFO};
  struct sigaction before;
  if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
    sigaction(SIGHUP, &action, NULL);
}

bool interrupt_take_reload(void) {
  return atomic_exchange(&reload, false);
}

int interrupt_fd(void) {
  return event_fd;
}

int interrupt_take(void) {
  uint64_t value;
  ssize_t n = read(event_fd, &value, sizeof value);
  (void)n;
  return atomic_load(&count);
}

bool interrupt_wait(int fd, int timeout_ms) {
  struct pollfd fds[2] = {{event_fd, POLLIN, 0}, {fd, POLLIN, 0}};
  if (poll(fds, 2, timeout_ms) <= 0) return false; /* EINTR: the caller looks again */
  return fds[0].revents != 0;
}
