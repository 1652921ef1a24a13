/* CUnit/Basic.h - as much of CUnit as cunit_main.h and test_kernels.c use, for machines that a
 * test is cross-compiled for, where there is no CUnit.                         */
#ifndef LLMFP_CROSS_CUNIT_H
#define LLMFP_CROSS_CUNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUE_SUCCESS = 0, CU_BRM_VERBOSE = 2, CU_MOST_TESTS = 64 };

struct cu_suite {
    const char *name;
    struct {
        const char *name;
        void (*run)(void);
    } test[CU_MOST_TESTS];
    size_t n_tests;
    unsigned n_asserts;
    unsigned n_failures;
};
typedef struct cu_suite *CU_pSuite;
typedef void *CU_pTest;

static struct cu_suite cu_suite;

static inline int CU_initialize_registry(void)
{
    return CUE_SUCCESS;
}
static inline void CU_cleanup_registry(void)
{
}
static inline void CU_basic_set_mode(int mode)
{
    (void)mode;
}
static inline CU_pSuite CU_add_suite(const char *name, void *start, void *end)
{
    (void)start;
    (void)end;
    cu_suite.name = name;
    return &cu_suite;
}
static inline CU_pTest CU_add_test(CU_pSuite suite, const char *name, void (*run)(void))
{
    if (suite->n_tests == CU_MOST_TESTS) {
        return NULL;
    }
    suite->test[suite->n_tests].name = name;
    suite->test[suite->n_tests].run = run;
    return &suite->test[suite->n_tests++];
}
static inline unsigned CU_get_number_of_asserts(void)
{
    return cu_suite.n_asserts;
}
static inline unsigned CU_get_number_of_failures(void)
{
    return cu_suite.n_failures;
}
static inline int CU_basic_run_tests(void)
{
    for (size_t i = 0; i < cu_suite.n_tests; i++) {
        const unsigned before = cu_suite.n_failures;
        cu_suite.test[i].run();
        (void)printf("%s: %s ... %s\n", cu_suite.name, cu_suite.test[i].name,
                     before == cu_suite.n_failures ? "passed" : "FAILED");
    }
    (void)printf("%u asserts, %u failed\n", cu_suite.n_asserts, cu_suite.n_failures);
    return CUE_SUCCESS;
}

static inline void cu_assert(bool holds, bool is_fatal, const char *file, int line,
                             const char *what)
{
    cu_suite.n_asserts++;
    if (!holds) {
        cu_suite.n_failures++;
        (void)printf("%s:%d: %s\n", file, line, what);
        if (is_fatal) {
            exit(1);
        }
    }
}

#define CU_ASSERT_TRUE(a)               cu_assert((a), false, __FILE__, __LINE__, #a)
#define CU_ASSERT_EQUAL(a, b)           cu_assert((a) == (b), false, __FILE__, __LINE__, #a " == " #b)
#define CU_ASSERT_EQUAL_FATAL(a, b)     cu_assert((a) == (b), true, __FILE__, __LINE__, #a " == " #b)
#define CU_ASSERT_PTR_NOT_NULL(a)       cu_assert((a) != NULL, false, __FILE__, __LINE__, #a)
#define CU_ASSERT_PTR_NOT_NULL_FATAL(a) cu_assert((a) != NULL, true, __FILE__, __LINE__, #a)

#endif
