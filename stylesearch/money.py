"""Reads prices: the amount and the currency in a text such as ``1.299,00 EUR``."""
