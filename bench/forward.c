/* The bare limit that a relay is measured against: it forwards datagrams between one socket on one side and many
 * connected sockets on the other, and does nothing else. One thread, epoll, recvmmsg, one send a datagram or train.
 *
 *     forward LISTEN_PORT PEER_PORT FLOWS [unconnected]    all on 127.0.0.1; prints "ready"
 *     forward --echo LISTEN_PORT    sends every datagram back to where it came from
 *
 * "unconnected" leaves the flows' sockets unconnected, as a relay must, to whose addresses any peer may send.
 *
 * The first two bytes of a datagram from a client say the flow, as a channel number does: 0x4000 and up. It leaves
 * unchanged by the flow's socket, and what comes back there leaves unchanged towards the client.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum { BATCH = 32, BYTES = 65536, MAX_FLOWS = 16384, FIRST_CHANNEL = 0x4000 };

static int out[MAX_FLOWS];
static struct sockaddr_in client[MAX_FLOWS];
static struct mmsghdr msgs[BATCH];
static struct iovec iovs[BATCH];
static struct sockaddr_in names[BATCH];
static char controls[BATCH][CMSG_SPACE(sizeof(int))];

static void die(const char *what) {
    perror(what);
    exit(1);
}

static struct sockaddr_in loopback(const char *port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return to;
}

static int open_socket(const char *port) {
    struct sockaddr_in local = loopback(port);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), on = 1, bytes = 4 << 20;
    if (fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof local) < 0) die("bind");
    setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    return fd;
}

static void watch(int epoll, int fd, uint32_t number) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

static int receive(int fd) {
    for (int i = 0; i < BATCH; i++) {
        msgs[i].msg_hdr.msg_namelen = sizeof names[i];
        msgs[i].msg_hdr.msg_controllen = sizeof controls[i];
        iovs[i].iov_len = BYTES;
    }
    return recvmmsg(fd, msgs, BATCH, 0, NULL);
}

/* The size of the datagrams of a train; 0 for one datagram. */
static int segment(const struct mmsghdr *msg) {
    struct msghdr *header = (struct msghdr *)&msg->msg_hdr;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c))
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            int size;
            memcpy(&size, CMSG_DATA(c), sizeof size);
            return size < (int)msg->msg_len ? size : 0;
        }
    return 0;
}

/* Sends what was received as messages[i], as the train that it was. */
static void send_on(int fd, int i, struct sockaddr_in *to) {
    int size = segment(&msgs[i]);
    struct msghdr *header = &msgs[i].msg_hdr;
    iovs[i].iov_len = msgs[i].msg_len;
    if (!size) {
        sendto(fd, iovs[i].iov_base, iovs[i].iov_len, 0, (struct sockaddr *)to, to ? sizeof *to : 0);
        return;
    }
    char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
    struct msghdr train = {.msg_name = to, .msg_namelen = to ? sizeof *to : 0, .msg_iov = header->msg_iov,
                           .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&train);
    uint16_t segment_size = (uint16_t)size;
    c->cmsg_level = SOL_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof segment_size);
    memcpy(CMSG_DATA(c), &segment_size, sizeof segment_size);
    sendmsg(fd, &train, 0);
}

int main(int argc, char **argv) {
    int echo = argc == 3 && !strcmp(argv[1], "--echo");
    int connected = argc == 4;
    if (!echo && argc != 4 && argc != 5) {
        fputs("usage: forward LISTEN_PORT PEER_PORT FLOWS [unconnected] | forward --echo LISTEN_PORT\n", stderr);
        return 2;
    }
    struct rlimit limit;
    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    for (int i = 0; i < BATCH; i++) {
        iovs[i].iov_base = malloc(BYTES);
        msgs[i].msg_hdr = (struct msghdr){.msg_name = &names[i], .msg_iov = &iovs[i], .msg_iovlen = 1,
                                          .msg_control = controls[i]};
    }
    int flows = echo ? 0 : atoi(argv[3]), epoll = epoll_create1(0);
    if (flows > MAX_FLOWS) flows = MAX_FLOWS;
    int in = open_socket(argv[echo ? 2 : 1]);
    watch(epoll, in, MAX_FLOWS);
    struct sockaddr_in peer = loopback(echo ? "0" : argv[2]);
    for (int i = 0; i < flows; i++) {
        out[i] = open_socket("0");
        if (connected && connect(out[i], (struct sockaddr *)&peer, sizeof peer) < 0) die("connect");
        watch(epoll, out[i], (uint32_t)i);
    }
    puts("ready");
    fflush(stdout);
    for (struct epoll_event events[64];;) {
        int ready = epoll_wait(epoll, events, 64, -1);
        for (int e = 0; e < ready; e++) {
            uint32_t from = events[e].data.u32;
            int count = receive(from == MAX_FLOWS ? in : out[from]);
            for (int i = 0; i < count; i++) {
                const uint8_t *bytes = iovs[i].iov_base;
                uint32_t flow = (uint32_t)(bytes[0] << 8 | bytes[1]) - FIRST_CHANNEL;
                if (echo) {
                    send_on(in, i, &names[i]);
                } else if (from != MAX_FLOWS) {
                    if (client[from].sin_port) send_on(in, i, &client[from]);
                } else if (flow < (uint32_t)flows) {
                    client[flow] = names[i];
                    send_on(out[flow], i, connected ? NULL : &peer);
                }
            }
        }
    }
}
