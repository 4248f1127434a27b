/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WX_LOG_H
#define WX_LOG_H

#include <stddef.h>

/*
 * Log lines to standard error, one write each, so that lines of several processes do not mix. Text
 * "wax: message" on a terminal or by default; `--log-format=logfmt|json` for machines. Any thread.
 */
enum wx_log_level { WX_LOG_ERROR, WX_LOG_WARN, WX_LOG_INFO, WX_LOG_DEBUG };
enum wx_log_format { WX_LOG_TEXT, WX_LOG_LOGFMT, WX_LOG_JSON };

/* Before threads start. `process` < 0: not part of a cluster, the field is left out. */
void wx_log_setup(enum wx_log_level level, enum wx_log_format format, int process);
/* The same for the process number alone, when it is known later. Before threads start. */
void wx_log_process(int process);
void wx_log(enum wx_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Bytes that are lines already, all of them, to standard error. */
void wx_log_raw(const char *bytes, size_t len);

#endif /* WX_LOG_H */
