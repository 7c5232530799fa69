from tests.failures.test_kill_loop import *
