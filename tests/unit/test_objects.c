/*
 * test_objects.c - backing objects are interned: one object for one set of
 * attributes, numbered in order, never moved, through growth and through
 * failing allocations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* after what it needs */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "model/maps.h"
#include "unit/nomem.h"

static const struct vt_object plain = {
    .type = VT_OBJECT_FILE, .dev_major = 8, .dev_minor = 1, .inode = 42, .name = "/lib/a"};

static void test_each_attribute_counts(void **state)
{
    (void)state;
    struct vt_objects *objects = vt_objects_create();
    struct vt_object likes[6] = {plain, plain, plain, plain, plain, plain};
    const struct vt_object *found[6];

    assert_non_null(objects);
    likes[1].type = VT_OBJECT_SPECIAL;
    likes[2].dev_major = 9;
    likes[3].dev_minor = 2;
    likes[4].inode = 43;
    likes[5].name = "/lib/b";
    for (unsigned i = 0; i < 6; i++) {
        found[i] = vt_objects_intern(objects, &likes[i]);
        assert_non_null(found[i]);
        assert_int_equal(found[i]->id, i + 1);
        assert_int_equal(found[i]->type, likes[i].type);
        assert_int_equal(found[i]->dev_major, likes[i].dev_major);
        assert_int_equal(found[i]->dev_minor, likes[i].dev_minor);
        assert_int_equal(found[i]->inode, likes[i].inode);
        assert_string_equal(found[i]->name, likes[i].name);
        assert_ptr_not_equal(found[i]->name, likes[i].name); /* a copy of its own */
    }
    for (unsigned i = 0; i < 6; i++)
        assert_ptr_equal(vt_objects_intern(objects, &likes[i]), found[i]);
    vt_objects_destroy(objects);
    vt_objects_destroy(NULL);
}

static void test_an_object_stays_as_it_was_first_told(void **state)
{
    (void)state;
    struct vt_objects *objects = vt_objects_create();
    struct vt_object like = plain;
    const struct vt_object *object = vt_objects_intern(objects, &like);

    assert_non_null(object);
    assert_int_equal(object->page_size, 0);
    like.page_size = 4096;
    assert_ptr_equal(vt_objects_intern(objects, &like), object);
    assert_int_equal(object->page_size, 0);
    vt_objects_destroy(objects);
}

static void test_many(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    struct vt_objects *objects = vt_objects_create();
    const struct vt_object **found = calloc(MANY, sizeof(*found));

    assert_non_null(found);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < MANY; i++) {
            char name[32];
            struct vt_object like = plain;
            snprintf(name, sizeof(name), "/lib/%u", i / 3);
            like.name = name;
            like.inode = i % 3;
            const struct vt_object *object = vt_objects_intern(objects, &like);
            assert_true(object && (round == 0 || object == found[i]));
            assert_int_equal(object->id, i + 1);
            assert_string_equal(object->name, name);
            found[i] = object;
        }
    }
    free(found);
    vt_objects_destroy(objects);
}

static void test_same(void **state)
{
    (void)state;
    struct vt_object a = plain, b = plain;
    struct vt_object vdso = {.type = VT_OBJECT_SPECIAL, .name = "[vdso]"};
    char copied[] = "[vdso]";
    struct vt_object vdso_too = {.type = VT_OBJECT_SPECIAL, .name = copied, .page_size = 4096};
    struct vt_object vvar = {.type = VT_OBJECT_SPECIAL, .name = "[vvar]"};

    b.name = "/lib/a (deleted)";
    b.id = 9;
    assert_true(vt_object_same(NULL, NULL));
    assert_false(vt_object_same(NULL, &a));
    assert_false(vt_object_same(&a, NULL));
    assert_true(vt_object_same(&a, &a));
    assert_true(vt_object_same(&a, &b));
    b.inode++;
    assert_false(vt_object_same(&a, &b));
    b = a, b.dev_major++;
    assert_false(vt_object_same(&a, &b));
    b = a, b.dev_minor++;
    assert_false(vt_object_same(&a, &b));
    b = a, b.type = VT_OBJECT_SPECIAL;
    assert_false(vt_object_same(&a, &b));
    assert_true(vt_object_same(&vdso, &vdso_too));
    assert_false(vt_object_same(&vdso, &vvar));
}

/* What vt_maps_object() makes of a name, device and inode. */
static void test_derived_names_have_no_object(void **state)
{
    (void)state;
    struct vt_objects *objects = vt_objects_create();
    const struct vt_object *object;
    static const char *const derived[] = {"", "[heap]", "[stack]", "[stack:77]"};

    for (size_t i = 0; i < VT_COUNTOF(derived); i++) {
        object = &plain;
        assert_int_equal(vt_maps_object(objects, derived[i], 0, 0, 0, 4096, &object), 0);
        assert_null(object);
        /* A file may bear such a name. */
        assert_int_equal(vt_maps_object(objects, derived[i], 8, 1, 5, 4096, &object), 0);
        assert_non_null(object);
        assert_int_equal(object->type, VT_OBJECT_FILE);
        assert_int_equal(object->page_size, 4096);
    }
    assert_int_equal(vt_maps_object(objects, "[heap]s", 0, 0, 0, 0, &object), 0);
    assert_int_equal(object->type, VT_OBJECT_SPECIAL);
    assert_string_equal(object->name, "[heap]s");
    vt_objects_destroy(objects);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct vt_objects *objects;

    nomem_after(0);
    objects = vt_objects_create();
    nomem_never();
    assert_null(objects);
    objects = vt_objects_create();
    assert_non_null(objects);
    for (unsigned i = 0; i < 500; i++) {
        struct vt_object like = plain;
        size_t failures = 0;
        const struct vt_object *object;
        like.inode = i;
        do {
            nomem_after(failures);
            object = vt_objects_intern(objects, &like);
            failures += nomem_never() > 0;
            assert_true(object || failures);
        } while (!object);
        assert_true(failures >= 1); /* the object itself, sometimes the table, too */
        assert_int_equal(object->id, i + 1);
        nomem_after(0); /* what is there already needs nothing */
        const struct vt_object *again = vt_objects_intern(objects, &like);
        nomem_never();
        /* Unless the table was about to grow: then it may say so, and not lose anything. */
        assert_true(again == object || !again);
        assert_ptr_equal(vt_objects_intern(objects, &like), object);
    }
    nomem_after(0);
    const struct vt_object *object = &plain;
    int rc = vt_maps_object(objects, "/new", 8, 1, 5, 0, &object);
    nomem_never();
    assert_int_equal(rc, -ENOMEM);
    assert_null(object);
    vt_objects_destroy(objects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_attribute_counts),
        cmocka_unit_test(test_an_object_stays_as_it_was_first_told),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_derived_names_have_no_object),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
