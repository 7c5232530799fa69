from tests.rest_gateway.test_rotation import *
