# SPDX-License-Identifier: Apache-2.0
# The flows are built for the same CPU baseline as the programs that they are compared to.
WAX_CFLAGS = -O3 $(if $(filter x86_64,$(shell uname -m)),-march=x86-64-v3)
