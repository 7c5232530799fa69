from tests.rest_gateway.test_revocation import *
