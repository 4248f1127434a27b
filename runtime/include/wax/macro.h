/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wax/macro.h: the preprocessor tools under the other headers. Users do not need anything here.
 *
 * A name that ends in an underscore is internal. Macros that generate code generate names that
 * begin with `wax_`; a body keeps the name its author gave it, for debuggers, profilers and unit
 * tests.
 */
#ifndef WAX_MACRO_H
#define WAX_MACRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WAX_CAT_(a, b)  WAX_CAT2_(a, b)
#define WAX_CAT2_(a, b) a##b
#define WAX_STR_(x)     WAX_STR2_(x)
#define WAX_STR2_(x)    #x
#define WAX_HERE        __FILE__ ":" WAX_STR_(__LINE__)

#define WAX_UNUSED       __attribute__((unused))
#define WAX_COLD         __attribute__((cold, noinline))
#define WAX_EXPORT       __attribute__((visibility("default")))
#define WAX_NODISCARD    __attribute__((warn_unused_result))
#define WAX_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define WAX_UNLIKELY(x)  __builtin_expect(!!(x), 0)
#define WAX_CONST        static const WAX_UNUSED
#define WAX_INLINE       static inline WAX_UNUSED __attribute__((always_inline))
#define WAX_STEP         static inline WAX_UNUSED
#ifdef WAX_DEBUG /* bodies stay functions: breakpoints and stack traces show them */
#define WAX_BODY static WAX_UNUSED __attribute__((noinline))
#else
#define WAX_BODY WAX_INLINE
#endif

#ifdef __cplusplus
#define WAX_BEGIN_C     extern "C" {
#define WAX_END_C       }
#define WAX_ALIGNOF     alignof
#define WAX_ASSERT_     static_assert
#define WAX_RESTRICT    __restrict
#define WAX_ZERO_(T)    (T{})
#define wax_auto        auto
#define WAX_DEFAULT_(v) = v /* of a member: C++ warns about those that a list leaves out */
#else
#define WAX_BEGIN_C
#define WAX_END_C
#define WAX_ALIGNOF  _Alignof
#define WAX_ASSERT_  _Static_assert
#define WAX_RESTRICT restrict
#define WAX_ZERO_(T) ((T){0})
#define wax_auto     __extension__ __auto_type
#define WAX_DEFAULT_(v)
#endif

/* Takes the semicolon that a user writes after a declaring macro. */
#define WAX_END_ WAX_ASSERT_(1, "")

/* In place of a body that has the wrong number of arguments: says so, and takes its braces. */
#define WAX_WRONG_(TEXT)                                                                           \
    WAX_ASSERT_(0, TEXT);                                                                          \
    static int WAX_CAT_(wax_wrong_, __LINE__)(void)

/* WAX_PICKn_(args..., name_n, ..., name_1, 0): chooses a macro by the number of arguments. */
#define WAX_PICK3_(a, b, c, NAME, ...)    NAME
#define WAX_PICK4_(a, b, c, d, NAME, ...) NAME

/* WAX_EACH_(M, C, (x), (y), ...) is M(C, (x)) M(C, (y)) ..., for up to 32 items. */
#define WAX_EACH_(M, C, ...) WAX_CAT_(WAX_EACH_, WAX_COUNT_(__VA_ARGS__))(M, C, __VA_ARGS__)
#define WAX_COUNT_(...)                                                                            \
    WAX_COUNT2_(__VA_ARGS__, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16,   \
                15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define WAX_COUNT2_(x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, x16, x17,    \
                    x18, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30, x31, x32, N,  \
                    ...)                                                                           \
    N
#define WAX_EACH_1(M, C, x)       M(C, x)
#define WAX_EACH_2(M, C, x, ...)  M(C, x) WAX_EACH_1(M, C, __VA_ARGS__)
#define WAX_EACH_3(M, C, x, ...)  M(C, x) WAX_EACH_2(M, C, __VA_ARGS__)
#define WAX_EACH_4(M, C, x, ...)  M(C, x) WAX_EACH_3(M, C, __VA_ARGS__)
#define WAX_EACH_5(M, C, x, ...)  M(C, x) WAX_EACH_4(M, C, __VA_ARGS__)
#define WAX_EACH_6(M, C, x, ...)  M(C, x) WAX_EACH_5(M, C, __VA_ARGS__)
#define WAX_EACH_7(M, C, x, ...)  M(C, x) WAX_EACH_6(M, C, __VA_ARGS__)
#define WAX_EACH_8(M, C, x, ...)  M(C, x) WAX_EACH_7(M, C, __VA_ARGS__)
#define WAX_EACH_9(M, C, x, ...)  M(C, x) WAX_EACH_8(M, C, __VA_ARGS__)
#define WAX_EACH_10(M, C, x, ...) M(C, x) WAX_EACH_9(M, C, __VA_ARGS__)
#define WAX_EACH_11(M, C, x, ...) M(C, x) WAX_EACH_10(M, C, __VA_ARGS__)
#define WAX_EACH_12(M, C, x, ...) M(C, x) WAX_EACH_11(M, C, __VA_ARGS__)
#define WAX_EACH_13(M, C, x, ...) M(C, x) WAX_EACH_12(M, C, __VA_ARGS__)
#define WAX_EACH_14(M, C, x, ...) M(C, x) WAX_EACH_13(M, C, __VA_ARGS__)
#define WAX_EACH_15(M, C, x, ...) M(C, x) WAX_EACH_14(M, C, __VA_ARGS__)
#define WAX_EACH_16(M, C, x, ...) M(C, x) WAX_EACH_15(M, C, __VA_ARGS__)
#define WAX_EACH_17(M, C, x, ...) M(C, x) WAX_EACH_16(M, C, __VA_ARGS__)
#define WAX_EACH_18(M, C, x, ...) M(C, x) WAX_EACH_17(M, C, __VA_ARGS__)
#define WAX_EACH_19(M, C, x, ...) M(C, x) WAX_EACH_18(M, C, __VA_ARGS__)
#define WAX_EACH_20(M, C, x, ...) M(C, x) WAX_EACH_19(M, C, __VA_ARGS__)
#define WAX_EACH_21(M, C, x, ...) M(C, x) WAX_EACH_20(M, C, __VA_ARGS__)
#define WAX_EACH_22(M, C, x, ...) M(C, x) WAX_EACH_21(M, C, __VA_ARGS__)
#define WAX_EACH_23(M, C, x, ...) M(C, x) WAX_EACH_22(M, C, __VA_ARGS__)
#define WAX_EACH_24(M, C, x, ...) M(C, x) WAX_EACH_23(M, C, __VA_ARGS__)
#define WAX_EACH_25(M, C, x, ...) M(C, x) WAX_EACH_24(M, C, __VA_ARGS__)
#define WAX_EACH_26(M, C, x, ...) M(C, x) WAX_EACH_25(M, C, __VA_ARGS__)
#define WAX_EACH_27(M, C, x, ...) M(C, x) WAX_EACH_26(M, C, __VA_ARGS__)
#define WAX_EACH_28(M, C, x, ...) M(C, x) WAX_EACH_27(M, C, __VA_ARGS__)
#define WAX_EACH_29(M, C, x, ...) M(C, x) WAX_EACH_28(M, C, __VA_ARGS__)
#define WAX_EACH_30(M, C, x, ...) M(C, x) WAX_EACH_29(M, C, __VA_ARGS__)
#define WAX_EACH_31(M, C, x, ...) M(C, x) WAX_EACH_30(M, C, __VA_ARGS__)
#define WAX_EACH_32(M, C, x, ...) M(C, x) WAX_EACH_31(M, C, __VA_ARGS__)

#endif /* WAX_MACRO_H */
