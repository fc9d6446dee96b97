"""Endpoints as typed methods."""
