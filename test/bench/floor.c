/*
 * The floor under a tick server: what the kernel alone costs, with no protocol at all.
 *
 * One socket, recvfrom and sendto. Inputs of 40 bytes begin with the number of their client; at each tick everything that
 * waits is read and a snapshot of 400 bytes goes to each client that has been heard. When all clients are there it warms
 * up, measures a window, prints one line of JSON and ends.
 *
 *   floor CLIENTS RATE_HZ WARM_UP_SECONDS WINDOW_SECONDS
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum { SNAPSHOT_BYTES = 400, DATAGRAM_BYTES_MAX = 2048, BUFFER_BYTES = 4 << 20 };

static struct sockaddr_in *clients; /* port 0: not heard yet */
static long client_count, known, inputs, snapshots, unsent;

static void fail(const char *call) {
  perror(call);
  exit(1);
}

static int64_t now_nanos(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static double cpu_micros(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static void sleep_until(int64_t nanos) {
  struct timespec t = {nanos / 1000000000, nanos % 1000000000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
  }
}

static int open_socket(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (fd < 0) fail("socket");
  int bytes = BUFFER_BYTES;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof local;
  if (bind(fd, (struct sockaddr *)&local, length) < 0) fail("bind");
  if (getsockname(fd, (struct sockaddr *)&local, &length) < 0) fail("getsockname");
  printf("{\"port\":%d}\n", ntohs(local.sin_port));
  fflush(stdout);
  return fd;
}

static void receive_inputs(int fd) {
  uint8_t bytes[DATAGRAM_BYTES_MAX];
  for (;;) {
    struct sockaddr_in from;
    socklen_t from_length = sizeof from;
    ssize_t n = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &from_length);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0 && errno != ECONNREFUSED) fail("recvfrom");
    uint32_t number;
    if (n < (ssize_t)sizeof number) continue;
    memcpy(&number, bytes, sizeof number);
    if (number >= client_count) continue;
    if (clients[number].sin_port == 0) known++;
    clients[number] = from;
    inputs++;
  }
}

static void send_snapshots(int fd, uint32_t tick) {
  uint8_t bytes[SNAPSHOT_BYTES] = {0};
  memcpy(bytes, &tick, sizeof tick);
  for (uint32_t number = 0; number < client_count; number++) {
    if (clients[number].sin_port == 0) continue;
    memcpy(bytes + 4, &number, sizeof number);
    ssize_t n = sendto(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&clients[number], sizeof clients[number]);
    if (n == SNAPSHOT_BYTES) snapshots++;
    else unsent++;
  }
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  client_count = atol(argv[1]);
  double rate_hz = atof(argv[2]);
  long warm_up_ticks = atof(argv[3]) * rate_hz, window_ticks = atof(argv[4]) * rate_hz;
  clients = calloc(client_count, sizeof *clients);
  double *lateness = calloc(window_ticks, sizeof *lateness);
  if (!clients || !lateness) fail("calloc");
  int fd = open_socket();
  int64_t start = now_nanos();
  long complete_at = -1;
  double start_cpu = 0;
  for (uint32_t tick = 0;; tick++) {
    int64_t due = start + (int64_t)(tick * 1e9 / rate_hz);
    sleep_until(due);
    double late = (now_nanos() - due) / 1000.0;
    if (complete_at < 0 && known == client_count) complete_at = tick;
    long measured = complete_at < 0 ? -1 : (long)tick - complete_at - warm_up_ticks;
    if (measured == 0) {
      start_cpu = cpu_micros();
      inputs = snapshots = unsent = 0;
    }
    if (measured == window_ticks) break;
    if (measured >= 0) lateness[measured] = late;
    receive_inputs(fd);
    send_snapshots(fd, tick);
  }
  double cpu = cpu_micros() - start_cpu;
  qsort(lateness, window_ticks, sizeof *lateness, ascending);
  printf("{\"cpuMicros\":%.0f,\"ticks\":%ld,\"inputs\":%ld,\"snapshots\":%ld,\"unsent\":%ld,\"latenessP99Micros\":%.0f}\n",
         cpu, window_ticks, inputs, snapshots, unsent, lateness[(long)(window_ticks * 0.99)]);
  return 0;
}
