from tests.e2e.test_push import *
