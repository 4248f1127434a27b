/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wax.h: write streaming dataflows in C. This is the only header a dataflow includes.
 *
 *   type.h   values, records, streams            body.h   what a body may call
 *   str.h    work on strings                     ops.h    the operators
 *   io.h     sources and sinks                   flow.h   dataflows and their parameters
 */
#ifndef WAX_H
#define WAX_H

#include <wax/type.h>
#include <wax/str.h>
#include <wax/body.h>
#include <wax/ops.h>
#include <wax/io.h>
#include <wax/flow.h>

#endif /* WAX_H */
