from tests.rest_gateway.test_changes import *
