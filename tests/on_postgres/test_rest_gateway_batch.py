from tests.rest_gateway.test_batch import *
