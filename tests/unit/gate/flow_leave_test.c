/* The gate, clients that leave or read slowly: in each phase the provider sees the close soon, there is one record, and
 * nothing is kept. */
#include <sys/stat.h>

#include "house.h"

#define CHAT "/v1/chat/completions"
#define DELTA "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n"
#define ASK "{\"model\":\"r\",\"messages\":[]}"
#define ASK_STREAM "{\"model\":\"r\",\"stream\":true,\"messages\":[]}"

static struct mock *lone(struct house *h, void (*serve)(struct mock_peer *), const void *script,
                         const struct timeouts *t) {
  struct config_made made = house_config();
  struct mock *m = mock_start(serve, script);
  struct provider *p = house_provider(made.config, "p", made.openai, m->port);
  if (t != NULL) p->timeouts = *t;
  house_route(made.config, "r", "p/m", NULL);
  house_init(h, made.config, NULL);
  return m;
}

/* Asks, waits for `seen` (NULL: for the provider to have the request), leaves; checks the close and the record. The
 * close comes before any clock of the gateway's (10 s, in house.h) could bring it. */
static void leaves(void (*serve)(struct mock_peer *), const void *script, const char *ask_body, const char *seen,
                   bool reset) {
  struct house h;
  struct client c;
  struct mock *m = lone(&h, serve, script, NULL);
  client_open(&c, &h);
  client_post(&c, CHAT, ask_body);
  if (seen != NULL) CHECK(client_wait(&c, seen));
  for (unsigned i = 0; atomic_load(&m->requests) == 0 && i < 30000; i++) house_pass_ms(&h, 1);
  uint64_t left_ns = clock_ns();
  if (reset) setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
  client_close(&c);
  for (unsigned i = 0; atomic_load(&m->closed_ns) == 0 && i < 30000; i++) house_pass_ms(&h, 1);
  CHECK(atomic_load(&m->closed_ns) > 0 && (atomic_load(&m->closed_ns) - left_ns) / 1000000 <= 5000);
  struct slice trace = house_trace(&h);
  CHECK_INT(count_of(trace, "\n"), 1);
  CHECK(has(trace, "\"outcome\":\"client_gone\",\"status\":499,"));
  CHECK(has(trace, "\"class\":\"client_gone\""));
  CHECK_INT(atomic_load(&target_state_of(SLICE("p/m"))->in_flight), 0);
  house_done(&h);
  mock_stop(m);
}

TIMED(leaving_while_the_provider_thinks) {
  leaves(mock_silence, NULL, ASK, NULL, false);
  leaves(mock_silence, NULL, ASK_STREAM, NULL, false);
  leaves(mock_silence, NULL, ASK_STREAM, NULL, true);
}

TIMED(leaving_within_a_stream) {
  static const struct mock_script script = {.text = DELTA, .hang = true};
  leaves(mock_serve, &script, ASK_STREAM, "\"content\"", false);
  leaves(mock_serve, &script, ASK_STREAM, "\"content\"", true);
}

TIMED(leaving_before_the_first_content) {
  static const struct mock_script script = {.text = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n",
                                            .hang = true};
  leaves(mock_serve, &script, ASK_STREAM, NULL, false);
}

static void serve_half(struct mock_peer *p) {
  mock_request(p);
  mock_say(p, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{\"choices\":[");
  mock_saw_close(p);
}

TIMED(leaving_within_a_whole_answer) {
  leaves(serve_half, NULL, ASK, NULL, false);
}

TIMED(leaving_while_the_provider_is_being_connected_to) {
  struct house h;
  struct client c;
  struct mock *m = lone(&h, mock_silence, NULL, NULL);
  client_open(&c, &h);
  client_post(&c, CHAT, ASK);
  client_close(&c); /* all in one turn: the call has not begun yet */
  struct stat there = {0};
  for (unsigned i = 0; i < 30000 && (stat(h.trace_path, &there) != 0 || there.st_size == 0); i++) house_pass_ms(&h, 1);
  struct slice trace = house_trace(&h);
  CHECK_INT(count_of(trace, "\"outcome\":\"client_gone\",\"status\":499"), 1);
  house_done(&h);
  mock_stop(m);
}

TIMED(leaving_within_the_body) {
  struct house h;
  struct client c;
  struct mock *m = lone(&h, mock_silence, NULL, NULL);
  client_open(&c, &h);
  client_say(&c, "POST " CHAT " HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{\"mod");
  for (unsigned i = 0; h.gate->request_count == 0 && i < 30000; i++) house_pass_ms(&h, 1);
  client_close(&c);
  struct slice trace = house_trace(&h);
  CHECK_INT(count_of(trace, "\n"), 1);
  CHECK(has(trace, "\"outcome\":\"client_gone\",\"status\":499,") && has(trace, "\"route\":\"none\"") &&
        has(trace, "\"attempts\":[]"));
  CHECK_INT(atomic_load(&m->connections), 0);
  house_done(&h);
  mock_stop(m);
}

/* ---- slow readers */

/* One chunk, framed once, again and again: nothing is allocated meanwhile. */
static void serve_flood(struct mock_peer *p) {
  struct buf chunk = {0};
  buf_fill(&chunk, "%zx\r\n", 750 * (sizeof DELTA - 1));
  for (unsigned i = 0; i < 750; i++) buf_text(&chunk, DELTA);
  buf_text(&chunk, "\r\n");
  bool open = mock_request(p) && mock_say(p, MOCK_STREAM_HEAD);
  for (unsigned i = 0; open && i < 500; i++) {
    open = mock_send(p, chunk.ptr, chunk.len);
    if (open) atomic_fetch_add(&p->mock->sent, 750 * (sizeof DELTA - 1));
  }
  if (open) mock_chunk(p, "data: [DONE]\n\n"), mock_stream_end(p);
  buf_done(&chunk);
  mock_saw_close(p);
}

#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void); /* sanitizer/allocator_interface.h, which gcc does not ship */
#endif

/* The sanitizer holds freed memory back for long: what is resident tells nothing there. */
static size_t heap_bytes(void) {
#ifdef __SANITIZE_ADDRESS__
  return __sanitizer_get_current_allocated_bytes();
#else
  size_t pages = 0, resident = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  must(f != NULL && fscanf(f, "%zu %zu", &pages, &resident) == 2);
  fclose(f);
  return resident * 4096;
#endif
}

TIMED(slow_client_slows_the_provider_and_memory_stays) {
  struct house h;
  struct client c;
  struct mock *m = lone(&h, serve_flood, NULL, &TIMEOUTS(2000, 400, 60000));
  client_open(&c, &h);
  client_post(&c, CHAT, ASK_STREAM);
  for (unsigned i = 0; atomic_load(&m->sent) == 0 && i < 30000; i++) house_pass_ms(&h, 1);
  size_t before = heap_bytes();
  house_pass_ms(&h, 1000); /* longer than between_tokens: a client that does not read is no silent provider */
  uint64_t sent = 0;
  for (unsigned i = 0; i < 100 && sent != atomic_load(&m->sent); i++) {
    sent = atomic_load(&m->sent);
    house_pass_ms(&h, 100);
  }
  CHECK_INT(atomic_load(&m->sent), sent); /* it is blocked */
  CHECK(sent < 20000000);                 /* what the kernels hold */
  size_t after = heap_bytes();
  CHECK(after < before + (6 << 20)); /* of 30 MB */
  CHECK_INT(h.gate->request_count, 1);
  struct buf body = {0};
  for (uint64_t end_ns = clock_ns() + 20000000000ull; h.gate->request_count > 0 && clock_ns() < end_ns;) {
    house_turn(&h);
    client_read(&c);
  }
  CHECK(client_answer(&c, &body));
  CHECK(slice_ends(buf_view(&body), SLICE("data: [DONE]\n\n")));
  CHECK_INT(body.len, atomic_load(&m->sent) + 14);
  CHECK(has(house_trace(&h), "\"outcome\":\"ok\""));
  buf_done(&body);
  client_close(&c);
  house_done(&h);
  mock_stop(m);
}

/* While the client does not read, no clock but the total runs: the loop sleeps. */
TIMED(congestion_does_not_spin_the_loop) {
  struct house h;
  struct client c;
  struct mock *m = lone(&h, serve_flood, NULL, &TIMEOUTS(10000, 1000, 60000));
  client_open(&c, &h);
  client_post(&c, CHAT, ASK_STREAM);
  struct attempt *a = NULL;
  bool asleep = false;
  for (unsigned i = 0; i < 200 && !asleep; i++) {
    house_pass_ms(&h, 100);
    a = h.gate->request_count > 0 ? list_item(h.gate->requests.next, struct request, link)->source : NULL;
    asleep = a != NULL && a->request->delivery.congested && a->timer.due_ns > clock_ns() + 10000000000ull;
  }
  CHECK(asleep);
  client_close(&c);
  CHECK(house_quiet(&h));
  house_done(&h);
  mock_stop(m);
}

TIMED(slow_client_that_leaves_frees_everything) {
  struct house h;
  struct client c;
  struct mock *m = lone(&h, serve_flood, NULL, NULL);
  client_open(&c, &h);
  client_post(&c, CHAT, ASK_STREAM);
  for (unsigned i = 0; atomic_load(&m->sent) == 0 && i < 30000; i++) house_pass_ms(&h, 1);
  house_pass_ms(&h, 200);
  client_close(&c);
  struct slice trace = house_trace(&h);
  CHECK_INT(count_of(trace, "\"outcome\":\"client_gone\",\"status\":499"), 1);
  house_done(&h);
  mock_stop(m);
}

/* ---- shutting down */

static void shut_all(struct house *h) {
  struct fault f;
  fault_set(&f, FAULT_DRAINING, "The gateway shut down before the answer was complete.");
  for (struct link *at = h->gate->requests.next, *next; at != &h->gate->requests; at = next) {
    next = at->next;
    request_shut(list_item(at, struct request, link), &f);
  }
}

TIMED(shutting_refuses_what_waits_and_ends_what_flows) {
  static const struct mock_script script = {.text = DELTA, .hang = true};
  struct house h;
  struct client waits, flows, reads;
  struct mock *m = lone(&h, mock_serve, &script, NULL);
  client_open(&flows, &h);
  client_post(&flows, CHAT, ASK_STREAM);
  CHECK(client_wait(&flows, "\"content\""));
  client_open(&waits, &h);
  client_post(&waits, CHAT, ASK);
  client_open(&reads, &h);
  client_say(&reads, "POST " CHAT " HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{\"mod");
  for (unsigned i = 0; (atomic_load(&m->requests) < 2 || h.gate->request_count < 3) && i < 30000; i++)
    house_pass_ms(&h, 1);
  CHECK_INT(h.gate->request_count, 3);
  shut_all(&h);
  shut_all(&h); /* the worker asks again while answers leave */
  CHECK(client_wait(&waits, "\"code\":\"draining\""));
  CHECK_INT(client_status(&waits), 503);
  CHECK(client_wait(&reads, "\"code\":\"draining\""));
  CHECK(client_wait(&flows, "data: {\"error\":{\"message\":\"The gateway shut down"));
  CHECK(client_wait(&flows, "\r\n0\r\n\r\n"));
  struct slice trace = house_trace(&h);
  CHECK_INT(count_of(trace, "\"error_code\":\"draining\""), 3);
  CHECK_INT(count_of(trace, "\"class\":\"draining\""), 2);
  client_close(&waits);
  client_close(&flows);
  client_close(&reads);
  house_done(&h);
  mock_stop(m);
}

static void serve_sized(struct mock_peer *p) {
  struct buf all = {0};
  while (mock_request(p)) {
    all.len = 0;
    while (all.len < atomic_load(&p->mock->sent)) buf_text(&all, DELTA);
    buf_text(&all, "data: [DONE]\n\n");
    buf_byte(&all, '\0');
    if (!mock_say(p, MOCK_STREAM_HEAD) || !mock_chunk(p, all.ptr) || !mock_stream_end(p)) break;
  }
  buf_done(&all);
}

/* The provider is done, the client has not read the end yet, and the gateway gives up on it. The stream grows until its
 * end stays behind what the kernel takes. */
TIMED(shutting_leaves_a_finished_stream_alone) {
  struct house h;
  struct client c;
  bool seen = false;
  struct mock *m = lone(&h, serve_sized, NULL, NULL);
  for (unsigned bytes = 1000000, tries = 0; !seen && tries < 400; tries++) {
    atomic_store(&m->sent, bytes);
    unsigned requests = atomic_load(&m->requests);
    client_open(&c, &h);
    client_post(&c, CHAT, ASK_STREAM);
    while (atomic_load(&m->requests) == requests) house_turn(&h);
    struct request *r = NULL;
    while (h.gate->request_count > 0) {
      r = list_item(h.gate->requests.next, struct request, link);
      if (r->delivery.congested || (r->source != NULL && r->source->phase == ATTEMPT_DONE)) break;
      house_turn(&h);
    }
    seen = h.gate->request_count > 0 && r->delivery.ended;
    if (seen) break;
    bytes = h.gate->request_count > 0 ? bytes - 70000 : bytes + 30000;
    client_close(&c);
    CHECK(house_quiet(&h));
  }
  CHECK(seen);
  shut_all(&h);
  CHECK(client_wait(&c, "[DONE]\n\n\r\n0\r\n\r\n"));
  CHECK(!has(buf_view(&c.got), "draining"));
  CHECK(slice_ends(buf_view(&c.got), SLICE("[DONE]\n\n\r\n0\r\n\r\n")));
  client_close(&c);
  house_done(&h);
  mock_stop(m);
}

UNIT_MAIN()
