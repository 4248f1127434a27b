/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control messages as bytes. Reading walks a window over the frame; the first field that does not
 * fit marks the window bad and all later ones read as zero, so that each kind is read in a straight
 * line and judged once at the end. Lists stay in their encoded form and are checked to be whole
 * before anybody sees them.
 */
#include "cluster/message.h"

#include <string.h>

#include "base/sha256.h"
#include "core/shared.h"

#define FRAME_HEADER 16u
#define MEMBER_BYTES 36u
#define WORKER_BYTES 20u

static const char control_magic[8] = "WAXctrl\n", data_magic[8] = "WAXdata\n";

/* ---- numbers -----------------------------------------------------------------------------------
 */

static void put_number(struct wx_buf *out, uint64_t value, unsigned bytes)
{
    uint8_t le[8];
    for (unsigned i = 0; i < bytes; i++)
        le[i] = (uint8_t)(value >> (8 * i));
    wx_buf_put(out, le, bytes);
}

static void put_text(struct wx_buf *out, wax_str text)
{
    put_number(out, text.len, 4);
    wx_buf_put(out, text.ptr, text.len);
}

struct window {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static const uint8_t *take(struct window *w, size_t len)
{
    if (w->bad || len > w->left) {
        w->bad = true;
        return NULL;
    }
    const uint8_t *bytes = w->at;
    w->at += len;
    w->left -= len;
    return bytes;
}

static uint64_t take_number(struct window *w, unsigned bytes)
{
    const uint8_t *le = take(w, bytes);
    uint64_t value = 0;
    for (unsigned i = 0; le && i < bytes; i++)
        value |= (uint64_t)le[i] << (8 * i);
    return value;
}

static uint32_t take_u32(struct window *w)
{
    return (uint32_t)take_number(w, 4);
}

static uint64_t take_u64(struct window *w)
{
    return take_number(w, 8);
}

static wax_str take_text(struct window *w)
{
    uint32_t len = take_u32(w);
    const char *text = (const char *)take(w, len);
    return text ? (wax_str){text, len} : (wax_str){"", 0};
}

/* ---- writing -----------------------------------------------------------------------------------
 */

static void write_greeting(const struct wx_message_greeting *greeting, struct wx_buf *out)
{
    static const char zero[12];
    wx_buf_put(out, control_magic, sizeof control_magic);
    put_number(out, greeting->version, 4);
    put_number(out, greeting->process, 4);
    put_number(out, greeting->cluster, 8);
    put_number(out, greeting->nonce, 8);
    put_number(out, greeting->flags, 4);
    wx_buf_put(out, zero, sizeof zero);
    wx_buf_put(out, greeting->challenge, sizeof greeting->challenge);
}

static void write_hello(const struct wx_message_hello *hello, struct wx_buf *out)
{
    put_number(out, hello->workers, 4);
    put_number(out, hello->promised, 8);
    put_number(out, hello->active, 8);
    put_number(out, hello->active_resume, 8);
    put_number(out, hello->durable, 8);
    put_number(out, hello->leaving, 1);
    put_number(out, hello->plan_hash, 8);
    put_text(out, hello->release);
    put_text(out, hello->flow);
    put_text(out, hello->module_hash);
    put_text(out, hello->address_list);
    put_number(out, hello->param_count, 4);
}

static void write_body(const struct wx_message *message, struct wx_buf *out)
{
    switch (message->kind) {
    case WX_MSG_PROOF:
        wx_buf_put(out, message->u.proof, WX_PROOF);
        break;
    case WX_MSG_HELLO:
        write_hello(&message->u.hello, out);
        break;
    case WX_MSG_PROPOSE:
        put_number(out, message->u.resume, 8);
        break;
    case WX_MSG_PROMISE:
    case WX_MSG_REFUSE:
    case WX_MSG_START:
        put_number(out, message->u.digest, 8);
        break;
    case WX_MSG_HEARTBEAT:
        put_number(out, message->u.heartbeat.digest, 8);
        put_number(out, message->u.heartbeat.open, 8);
        break;
    case WX_MSG_EPOCH:
    case WX_MSG_DURABLE:
        put_number(out, message->u.epoch, 8);
        break;
    case WX_MSG_STOP:
        put_number(out, message->u.signal_number, 4);
        break;
    case WX_MSG_ABORT:
        put_number(out, message->u.abort.process, 4);
        put_number(out, message->u.abort.exit_code, 4);
        put_text(out, message->u.abort.reason);
        break;
    case WX_MSG_GOODBYE:
        put_number(out, message->u.ended, 1);
        break;
    case WX_MSG_GREETING:
        break;
    }
    if (message->items_len > 0)
        wx_buf_put(out, message->items, message->items_len);
}

void wx_message_write(const struct wx_message *message, struct wx_buf *out)
{
    if (message->kind == WX_MSG_GREETING) {
        write_greeting(&message->u.greeting, out);
        return;
    }
    size_t start = out->len;
    put_number(out, 0, 4);
    put_number(out, message->kind, 2);
    put_number(out, 0, 2);
    put_number(out, message->generation, 8);
    write_body(message, out);
    if (out->full)
        return;
    size_t len = out->len - start - 4;
    for (unsigned i = 0; i < 4; i++)
        out->data[start + i] = (char)(uint8_t)(len >> (8 * i));
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static int read_greeting(const uint8_t *bytes, size_t len, struct wx_message *message, size_t *used,
                         struct wx_error *err)
{
    size_t known = len < sizeof control_magic ? len : sizeof control_magic;
    if (memcmp(bytes, control_magic, known) != 0)
        return wx_fail(err, WX_EXIT_NETWORK, "this is not a wax process");
    if (len < WX_GREETING_BYTES)
        return 0;
    struct window w = {bytes + sizeof control_magic, WX_GREETING_BYTES - sizeof control_magic,
                       false};
    struct wx_message_greeting *greeting = &message->u.greeting;
    message->kind = WX_MSG_GREETING;
    greeting->version = take_u32(&w);
    greeting->process = take_u32(&w);
    greeting->cluster = take_u64(&w);
    greeting->nonce = take_u64(&w);
    greeting->flags = take_u32(&w);
    take(&w, 12);
    memcpy(greeting->challenge, take(&w, WX_CHALLENGE), WX_CHALLENGE);
    *used = WX_GREETING_BYTES;
    return 1;
}

static void read_hello(struct window *w, struct wx_message_hello *hello)
{
    hello->workers = take_u32(w);
    hello->promised = take_u64(w);
    hello->active = take_u64(w);
    hello->active_resume = take_u64(w);
    hello->durable = take_u64(w);
    hello->leaving = take_number(w, 1) != 0;
    hello->plan_hash = take_u64(w);
    hello->release = take_text(w);
    hello->flow = take_text(w);
    hello->module_hash = take_text(w);
    hello->address_list = take_text(w);
    hello->param_count = take_u32(w);
}

/* The rest of a frame is a list; returns whether it is a whole one. */
static bool take_items(struct window *w, struct wx_message *message)
{
    message->items = (const char *)w->at;
    message->items_len = w->left;
    size_t at = 0;
    uint32_t params = 0;
    for (wax_str param;
         message->kind == WX_MSG_HELLO && wx_message_next_param(message, &at, &param);)
        params++;
    size_t left = w->left;
    take(w, left);
    switch (message->kind) {
    case WX_MSG_HELLO:
        return at == left && params == message->u.hello.param_count;
    case WX_MSG_PROPOSE:
        return left % MEMBER_BYTES == 0;
    case WX_MSG_HEARTBEAT:
        return left % WORKER_BYTES == 0;
    default:
        return left == 0;
    }
}

static bool read_body(struct window *w, struct wx_message *message)
{
    const uint8_t *proof;
    switch (message->kind) {
    case WX_MSG_PROOF:
        proof = take(w, WX_PROOF);
        if (proof)
            memcpy(message->u.proof, proof, WX_PROOF);
        break;
    case WX_MSG_HELLO:
        read_hello(w, &message->u.hello);
        break;
    case WX_MSG_PROPOSE:
        message->u.resume = take_u64(w);
        break;
    case WX_MSG_PROMISE:
    case WX_MSG_REFUSE:
    case WX_MSG_START:
        message->u.digest = take_u64(w);
        break;
    case WX_MSG_HEARTBEAT:
        message->u.heartbeat.digest = take_u64(w);
        message->u.heartbeat.open = take_u64(w);
        break;
    case WX_MSG_EPOCH:
    case WX_MSG_DURABLE:
        message->u.epoch = take_u64(w);
        break;
    case WX_MSG_STOP:
        message->u.signal_number = take_u32(w);
        break;
    case WX_MSG_ABORT:
        message->u.abort.process = take_u32(w);
        message->u.abort.exit_code = take_u32(w);
        message->u.abort.reason = take_text(w);
        break;
    case WX_MSG_GOODBYE:
        message->u.ended = take_number(w, 1) != 0;
        break;
    default:
        return false;
    }
    return !w->bad && take_items(w, message) && !w->bad;
}

int wx_message_read(const void *bytes, size_t len, bool greeted, uint32_t max,
                    struct wx_message *message, size_t *used, struct wx_error *err)
{
    *message = (struct wx_message){.items = ""};
    if (len == 0)
        return 0;
    if (!greeted)
        return read_greeting(bytes, len, message, used, err);
    if (len < FRAME_HEADER)
        return 0;
    struct window w = {bytes, len, false};
    uint32_t rest = take_u32(&w);
    if (rest < FRAME_HEADER - 4 || rest > max)
        return wx_fail(err, WX_EXIT_NETWORK, "it sent a message of %u bytes; %u are allowed", rest,
                       max);
    message->kind = (enum wx_message_kind)take_number(&w, 2);
    take(&w, 2);
    message->generation = take_u64(&w);
    if (len - 4 < rest)
        return 0;
    w.left = rest - (FRAME_HEADER - 4);
    if (!read_body(&w, message))
        return wx_fail(err, WX_EXIT_NETWORK, "it sent a message that makes no sense (kind %d)",
                       (int)message->kind);
    *used = 4 + (size_t)rest;
    return 1;
}

/* ---- items -------------------------------------------------------------------------------------
 */

static struct window items_from(const struct wx_message *message, size_t at)
{
    return (struct window){(const uint8_t *)message->items + at, message->items_len - at, false};
}

void wx_message_put_param(struct wx_buf *items, const char *param)
{
    put_text(items, (wax_str){param, (uint32_t)strlen(param)});
}

bool wx_message_next_param(const struct wx_message *message, size_t *at, wax_str *param)
{
    struct window w = items_from(message, *at);
    *param = take_text(&w);
    if (w.bad)
        return false;
    *at = message->items_len - w.left;
    return true;
}

void wx_message_put_member(struct wx_buf *items, const struct wx_message_member *member)
{
    put_number(items, member->process, 4);
    put_number(items, member->nonce, 8);
    put_number(items, member->promised, 8);
    put_number(items, member->active, 8);
    put_number(items, member->durable, 8);
}

bool wx_message_next_member(const struct wx_message *message, size_t *at,
                            struct wx_message_member *member)
{
    struct window w = items_from(message, *at);
    member->process = take_u32(&w);
    member->nonce = take_u64(&w);
    member->promised = take_u64(&w);
    member->active = take_u64(&w);
    member->durable = take_u64(&w);
    if (w.bad)
        return false;
    *at += MEMBER_BYTES;
    return true;
}

void wx_message_put_worker(struct wx_buf *items, const struct wx_message_worker *worker)
{
    put_number(items, worker->state, 4);
    put_number(items, worker->passed, 8);
    put_number(items, worker->turns, 8);
}

bool wx_message_next_worker(const struct wx_message *message, size_t *at,
                            struct wx_message_worker *worker)
{
    struct window w = items_from(message, *at);
    worker->state = take_u32(&w);
    worker->passed = take_u64(&w);
    worker->turns = take_u64(&w);
    if (w.bad)
        return false;
    *at += WORKER_BYTES;
    return true;
}

/* ---- data connections ---------------------------------------------------------------------------
 */

enum wx_magic wx_message_magic(const void *eight_bytes)
{
    if (memcmp(eight_bytes, control_magic, sizeof control_magic) == 0)
        return WX_MAGIC_CONTROL;
    return memcmp(eight_bytes, data_magic, sizeof data_magic) == 0 ? WX_MAGIC_DATA : WX_MAGIC_NONE;
}

void wx_preface_write(const struct wx_preface *preface, uint8_t bytes[WX_PREFACE_BYTES])
{
    struct wx_buf out = {.max = WX_PREFACE_BYTES};
    wx_buf_put(&out, data_magic, sizeof data_magic);
    put_number(&out, preface->generation, 8);
    put_number(&out, preface->digest, 8);
    put_number(&out, preface->from, 4);
    put_number(&out, preface->to, 4);
    wx_buf_put(&out, preface->proof, WX_PROOF);
    WX_ASSERT(out.len == WX_PREFACE_BYTES);
    memcpy(bytes, out.data, WX_PREFACE_BYTES);
    wx_buf_free(&out);
}

bool wx_preface_read(const uint8_t bytes[WX_PREFACE_BYTES], struct wx_preface *preface)
{
    struct window w = {bytes, WX_PREFACE_BYTES, false};
    const uint8_t *magic = take(&w, sizeof data_magic);
    preface->generation = take_u64(&w);
    preface->digest = take_u64(&w);
    preface->from = take_u32(&w);
    preface->to = take_u32(&w);
    memcpy(preface->proof, take(&w, WX_PROOF), WX_PROOF);
    return wx_message_magic(magic) == WX_MAGIC_DATA;
}

void wx_preface_prove(struct wx_preface *preface, const void *secret, size_t secret_len)
{
    uint8_t bytes[WX_PREFACE_BYTES];
    memset(preface->proof, 0, WX_PROOF);
    if (secret_len == 0)
        return;
    wx_preface_write(preface, bytes);
    wx_hmac_sha256(secret, secret_len, bytes, WX_PREFACE_BYTES - WX_PROOF, preface->proof);
}
