/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logging: a line is made on the stack and goes out in one write(2), whatever thread it comes from.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
    enum wx_log_level level;
    enum wx_log_format format;
    int process;
} config = {WX_LOG_INFO, WX_LOG_TEXT, -1}; /* written before threads start, read by all */

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void wx_log_setup(enum wx_log_level level, enum wx_log_format format, int process)
{
    config.level = level;
    config.format = format;
    config.process = process;
}

void wx_log_process(int process)
{
    config.process = process;
}

/* Appends `text` to `line` with what logfmt and JSON need escaped; both quote in the same way. */
static size_t put_quoted(char *line, size_t cap, size_t len, const char *text)
{
    for (; *text && len + 8 < cap; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            line[len++] = '\\';
            line[len++] = (char)c;
        } else if (c < 0x20) {
            len += (size_t)snprintf(line + len, cap - len, "\\u%04x", c);
        } else {
            line[len++] = (char)c;
        }
    }
    return len;
}

static size_t format_line(char *line, size_t cap, enum wx_log_level level, const char *text)
{
    char process[24] = "";
    if (config.format == WX_LOG_TEXT) {
        if (config.process >= 0)
            snprintf(process, sizeof process, "[%d]", config.process);
        const char *kind = level == WX_LOG_ERROR  ? "error: "
                           : level == WX_LOG_WARN ? "warning: "
                                                  : "";
        int n = snprintf(line, cap, "wax%s: %s%s", process, kind, text);
        return n < 0 ? 0 : (size_t)n < cap - 1 ? (size_t)n : cap - 2;
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm tm;
    gmtime_r(&now.tv_sec, &tm);
    char stamp[40];
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
    int json = config.format == WX_LOG_JSON;
    if (config.process >= 0)
        snprintf(process, sizeof process, json ? "\"process\":%d," : "process=%d ", config.process);
    size_t len = (size_t)snprintf(line, cap,
                                  json ? "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",%s\"msg\":\""
                                       : "time=%s.%03ldZ level=%s %smsg=\"",
                                  stamp, now.tv_nsec / 1000000, level_names[level], process);
    len = put_quoted(line, cap - 4, len, text);
    line[len++] = '"';
    if (json)
        line[len++] = '}';
    return len;
}

void wx_log(enum wx_log_level level, const char *fmt, ...)
{
    if (level > config.level)
        return;
    char text[2048], line[4096];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    size_t len = format_line(line, sizeof line, level, text);
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        return; /* nowhere left to say so */
}

void wx_log_raw(const char *bytes, size_t len)
{
    while (len) {
        ssize_t done = write(STDERR_FILENO, bytes, len);
        if (done < 0)
            return;
        bytes += done;
        len -= (size_t)done;
    }
}
