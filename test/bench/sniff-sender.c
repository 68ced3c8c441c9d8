/*
 * Sends UDP frames at a steady rate through a packet socket: the load under which sniffers are compared.
 *
 * Frames are made once and go past the queueing discipline, from 8 source ports. They are addressed to a machine that is
 * not there, so the far end drops them as soon as its packet sockets have seen them. Prints one line of JSON.
 *
 *   sniff-sender INTERFACE PACKETS_PER_SECOND SECONDS PAYLOAD_BYTES
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 64, FLOWS = 8, HEADER_BYTES = 42, PAYLOAD_BYTES_MAX = 1400 };

static uint8_t frames[BATCH][HEADER_BYTES + PAYLOAD_BYTES_MAX];
static struct iovec pieces[BATCH];
static struct mmsghdr messages[BATCH];

static void fail(const char *call) {
  perror(call);
  exit(1);
}

static int64_t now_nanos(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void put16(uint8_t *at, unsigned value) {
  at[0] = value >> 8;
  at[1] = value;
}

static void make_frame(uint8_t *frame, unsigned number, unsigned payload) {
  static const uint8_t head[34] = {
      2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0,                        /* Ethernet */
      0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 198, 51, 100, 1, 198, 51, 100, 9}; /* IPv4 */
  memcpy(frame, head, sizeof head);
  put16(frame + 16, 28 + payload);
  unsigned sum = 0;
  for (int i = 14; i < 34; i += 2) sum += frame[i] << 8 | frame[i + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  put16(frame + 24, ~sum);
  put16(frame + 34, 50000 + number % FLOWS);
  put16(frame + 36, 40000);
  put16(frame + 38, 8 + payload); /* no checksum, as IPv4 allows */
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  double rate = atof(argv[2]);
  double seconds = atof(argv[3]);
  unsigned payload = atoi(argv[4]);
  if (payload > PAYLOAD_BYTES_MAX) return 2;
  int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) fail("socket");
  int on = 1;
  if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) < 0) fail("PACKET_QDISC_BYPASS");
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(argv[1])};
  if (to.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&to, sizeof to) < 0) fail("bind");
  for (unsigned i = 0; i < BATCH; i++) {
    make_frame(frames[i], i, payload);
    pieces[i] = (struct iovec){frames[i], HEADER_BYTES + payload};
    messages[i].msg_hdr.msg_iov = &pieces[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  int64_t start = now_nanos();
  int64_t end = start + (int64_t)(seconds * 1e9);
  int64_t sent = 0;
  for (;;) {
    int64_t now = now_nanos();
    if (now >= end) break;
    int64_t due = (int64_t)((now - start) * rate / 1e9) - sent;
    if (due < BATCH) {
      struct timespec nap = {0, 20000};
      nanosleep(&nap, NULL);
      continue;
    }
    int n = sendmmsg(fd, messages, BATCH, 0);
    if (n > 0) sent += n;
    else if (errno != ENOBUFS && errno != EAGAIN) fail("sendmmsg");
  }
  printf("{\"sent\":%lld,\"seconds\":%.3f}\n", (long long)sent, (now_nanos() - start) / 1e9);
  return 0;
}
