"""How changes come by, whoever wrote them."""
