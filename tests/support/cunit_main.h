/* cunit_main.h - one suite of CUnit tests as a program.
 *
 *   TEST_PROGRAM("moments", TEST(adds_in_any_order), TEST(...))
 *
 * Exit status 0 only when at least one test ran and all of them passed.       */
#ifndef LLMFP_CUNIT_MAIN_H
#define LLMFP_CUNIT_MAIN_H

#include <CUnit/Basic.h>
#include <stdio.h>

struct cunit_case {
    const char *name;
    void (*run)(void);
};

#define TEST(function)                                                                             \
    {                                                                                              \
#function, function                                                                        \
    }

static inline int cunit_run(const char *suite_name, const struct cunit_case *cases, size_t n)
{
    if (CU_initialize_registry() != CUE_SUCCESS) {
        return 1;
    }
    CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
    for (size_t i = 0; suite != NULL && i < n; i++) {
        if (CU_add_test(suite, cases[i].name, cases[i].run) == NULL) {
            suite = NULL;
        }
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    const int ran = suite != NULL && CU_basic_run_tests() == CUE_SUCCESS;
    const int passed = ran && CU_get_number_of_asserts() > 0 && CU_get_number_of_failures() == 0;
    CU_cleanup_registry();
    return passed ? 0 : 1;
}

#define TEST_PROGRAM(suite, ...)                                                                   \
    int main(void)                                                                                 \
    {                                                                                              \
        static const struct cunit_case cases[] = {__VA_ARGS__};                                    \
        return cunit_run(suite, cases, sizeof cases / sizeof cases[0]);                            \
    }

#endif
