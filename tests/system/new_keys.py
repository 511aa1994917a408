#!/usr/bin/python3
"""Prints a new CURVE key pair: public secret."""
import zmq

public, secret = zmq.curve_keypair()
print(public.decode(), secret.decode())
