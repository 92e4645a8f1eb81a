/*
 * A server that costs as little as one can: GET /N, or a range of it, is answered with that many bytes from memory, a
 * PUT is read and forgotten. As S3's bucket N: every object of it has N bytes, and uploads in parts may be made.
 * One thread, epoll, keep-alive; no more of HTTP than the clients under test send. Prints its port; ends with its stdin.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MAX_BODY = 64 << 20, HEAD = 8192, DRAIN = 256 << 10, EVENTS = 256 };

struct connection {
  int fd;
  size_t read; /* of `in` */
  size_t skip; /* bytes of a request's body that have yet to come */
  int owes;    /* an answer, once they are here */
  size_t head_left, body_left;
  char *head_at, *body_at;
  char in[HEAD], out[512];
};

static char *body;
static char drain[DRAIN];

static const char BEGUN[] = "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>";
static const char COMPLETED[] = "<CompleteMultipartUploadResult><ETag>\"0\"</ETag></CompleteMultipartUploadResult>";

/* `range`: the field's line, or empty. */
static void answer(struct connection *c, const char *status, const char *range, const char *from, size_t size) {
  int length = snprintf(c->out, sizeof c->out,
                        "HTTP/1.1 %s\r\nServer: bench\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
                        "Content-Type: application/octet-stream\r\nETag: \"0123456789abcdef\"\r\n%sContent-Length: %zu\r\n\r\n",
                        status, range, size);
  c->head_at = c->out;
  c->head_left = (size_t)length;
  c->body_at = (char *)from;
  c->body_left = size;
}

/* 0 where it asks for more at once than there is. */
static int answer_get(struct connection *c, size_t object, const char *asked) {
  size_t first = 0, last = object;
  char range[96] = "";
  if (asked == NULL || sscanf(asked + 6, " bytes=%zu-%zu", &first, &last) < 1 || object == 0) {
    answer(c, "200 OK", range, body, object);
    return object <= MAX_BODY;
  }
  if (last >= object) last = object - 1;
  if (first > last || last - first >= MAX_BODY) return 0;
  snprintf(range, sizeof range, "Content-Range: bytes %zu-%zu/%zu\r\n", first, last, object);
  answer(c, "206 Partial Content", range, body, last - first + 1);
  return 1;
}

/* 0 where the connection is to be closed. */
static int flush_answer(struct connection *c) {
  while (c->head_left + c->body_left > 0) {
    struct iovec parts[2] = {{c->head_at, c->head_left}, {c->body_at, c->body_left}};
    ssize_t sent = writev(c->fd, parts, 2);
    if (sent < 0) return errno == EAGAIN;
    size_t of_head = (size_t)sent < c->head_left ? (size_t)sent : c->head_left;
    c->head_at += of_head;
    c->head_left -= of_head;
    c->body_at += (size_t)sent - of_head;
    c->body_left -= (size_t)sent - of_head;
  }
  return 1;
}

static int take_request(struct connection *c) {
  char *end = memmem(c->in, c->read, "\r\n\r\n", 4);
  if (end == NULL) return c->read < HEAD;
  size_t length = (size_t)(end - c->in) + 4;
  *end = 0;
  char *field = strcasestr(c->in, "content-length:");
  size_t sent = field ? strtoull(field + 15, NULL, 10) : 0;
  char *path = strchr(c->in, '/');
  char *query = path ? strpbrk(path, "? ") : NULL;
  if (query == NULL) return 0;
  switch (c->in[0]) {
    case 'G':
      if (!answer_get(c, strtoull(path + 1, NULL, 10), strcasestr(query, "range:"))) return 0;
      break;
    case 'P':
      if (c->in[1] == 'U') answer(c, "200 OK", "", body, 0);
      else if (strncmp(query, "?uploads", 8) == 0) answer(c, "200 OK", "", BEGUN, sizeof BEGUN - 1);
      else answer(c, "200 OK", "", COMPLETED, sizeof COMPLETED - 1);
      break;
    default: return 0;
  }
  size_t here = c->read - length;
  size_t taken = here < sent ? here : sent;
  c->skip = sent - taken;
  c->read = here - taken;
  memmove(c->in, end + 4 + taken, c->read);
  c->owes = c->skip > 0;
  return c->owes ? 1 : flush_answer(c);
}

static int serve(struct connection *c) {
  if (!c->owes && !flush_answer(c)) return 0;
  while (1) {
    if (c->skip > 0) {
      ssize_t count = read(c->fd, drain, c->skip < DRAIN ? c->skip : DRAIN);
      if (count <= 0) return count < 0 && errno == EAGAIN;
      c->skip -= (size_t)count;
      if (c->skip > 0) continue;
      c->owes = 0;
      if (!flush_answer(c)) return 0;
    } else {
      ssize_t count = read(c->fd, c->in + c->read, HEAD - c->read);
      if (count <= 0) return count < 0 && errno == EAGAIN;
      c->read += (size_t)count;
      if (!take_request(c)) return 0;
      /* Nobody pipelines: nothing more is there. */
      if (c->skip == 0) return 1;
    }
  }
}

int main(void) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int queue = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  struct epoll_event input = {.events = EPOLLIN | EPOLLHUP, .data.ptr = drain};
  body = malloc(MAX_BODY);
  if (body == NULL || bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 1024) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0 ||
      epoll_ctl(queue, EPOLL_CTL_ADD, listener, &event) != 0 || epoll_ctl(queue, EPOLL_CTL_ADD, 0, &input) != 0) {
    perror("server");
    return 1;
  }
  memset(body, 'b', MAX_BODY);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  while (1) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(queue, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      struct connection *c = events[i].data.ptr;
      if (c == (void *)drain) return 0;
      if (c != NULL) {
        if (!serve(c)) {
          close(c->fd);
          free(c);
        }
        continue;
      }
      int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), one = 1;
      if (fd < 0 || (c = calloc(1, sizeof *c)) == NULL) continue;
      c->fd = fd;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      struct epoll_event added = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
      epoll_ctl(queue, EPOLL_CTL_ADD, fd, &added);
    }
  }
}
