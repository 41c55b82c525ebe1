"""Keeps impact.com commissions true to what customers really kept."""
