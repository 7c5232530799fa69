from tests.taskbeam.commands.test_with_servers import *
