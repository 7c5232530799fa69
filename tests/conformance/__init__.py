"""Recorded answers of Django REST Framework and simplejwt, compared with those of our gateway."""
