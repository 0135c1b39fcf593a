/* dial: one libcurl handle per attempt; connecting is rare, so none is kept. One worker's thread. */
#include "io/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/must.h"

struct dial {
  struct dialer *dialer;
  CURL *easy;
  void (*done)(void *owner, const struct dial_result *result);
  void *owner;
  char why[CURL_ERROR_SIZE];
};

static void dial_free(struct dial *attempt) {
  multi_remove(&attempt->dialer->multi, attempt->easy);
  curl_easy_cleanup(attempt->easy);
  mem_free(attempt);
}

bool dial_none_left(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0) close(fd);
  return fd < 0 && (errno == EMFILE || errno == ENFILE);
}

static void finished(void *owner, CURL *easy, CURLcode result) {
  (void)owner;
  struct dial *attempt;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)(void *)&attempt);
  struct dial_result told = {.fd = -1, .timed_out = result == CURLE_OPERATION_TIMEDOUT};
  curl_socket_t fd = CURL_SOCKET_BAD;
  if (result == CURLE_OK) curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
  /* libcurl closes its own descriptor with the handle; the copy keeps the connection without a FIN. */
  if (fd != CURL_SOCKET_BAD) told.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  char why[CURL_ERROR_SIZE];
  snprintf(why, sizeof why, "%s", attempt->why[0] ? attempt->why : curl_easy_strerror(result));
  told.no_descriptor = told.fd < 0 && !told.timed_out && (result == CURLE_OK || dial_none_left());
  if (told.fd < 0) told.text = told.no_descriptor ? "no file descriptor left" : why;
  void (*done)(void *, const struct dial_result *) = attempt->done;
  void *receiver = attempt->owner;
  dial_free(attempt);
  done(receiver, &told);
}

void dialer_init(struct dialer *d, struct loop *l, const char *origin, const char *proxy, uint32_t connect_ms) {
  *d = (struct dialer){.origin = mem_text(origin, strlen(origin)),
                       .proxy = mem_text(proxy ? proxy : "", proxy ? strlen(proxy) : 0),
                       .connect_ms = connect_ms};
  multi_init(&d->multi, l, finished, d);
}

void dialer_done(struct dialer *d) {
  multi_done(&d->multi);
  mem_free(d->origin);
  mem_free(d->proxy);
}

struct dial *dial_start(struct dialer *d, void (*done)(void *owner, const struct dial_result *result), void *owner) {
  struct dial *attempt = mem_new(struct dial);
  attempt->dialer = d;
  attempt->done = done;
  attempt->owner = owner;
  CURL *easy = attempt->easy = curl_easy_init();
  must(easy != NULL);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, attempt);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, attempt->why);
  curl_easy_setopt(easy, CURLOPT_URL, d->origin);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)d->connect_ms);
  curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  /* Both set, empty too: otherwise libcurl reads http_proxy and no_proxy from the environment. */
  curl_easy_setopt(easy, CURLOPT_PROXY, d->proxy);
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  /* Without it a cancel joins the resolver's thread: the loop would wait for DNS. */
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  multi_add(&d->multi, easy);
  return attempt;
}

void dial_cancel(struct dial *attempt) {
  dial_free(attempt);
}
