"""CURVE certificates in files that nobody else may read."""

import os
import time
from errno import EINVAL, EPERM

import zmq
from zmq.utils import z85

from flux.base.certificate import Certificate, read_certificate
from flux.base.version import INTERFACE
from flux.runtime import system

OTHERS = 0o077


def fresh_certificate(notes: dict[str, str]) -> Certificate:
    """Makes a key pair, with these notes and some about how it was made."""
    public, secret = zmq.curve_keypair()
    made = {
        "name": system.full_hostname(),
        "keygen.hostname": system.full_hostname(),
        "keygen.time": time.strftime("%Y-%m-%dT%H:%M:%S"),
        "keygen.userid": str(os.getuid()),
        "keygen.flux-core-version": INTERFACE,
        "keygen.zmq-version": zmq.zmq_version(),
    }
    return Certificate(public.decode(), secret.decode(), made | notes)


def save(certificate: Certificate, path: str) -> None:
    """Writes it where only we can read it. OSError names the file."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o600)  # before there is anything to read in a file that was here already
            file.truncate()
            file.write(certificate.text())
    except OSError as error:
        raise OSError(error.errno, f"{path}: {error.strerror}") from None


def load(path: str) -> Certificate:
    """Reads one. OSError names the file: it is not there, others may read it, or it is no certificate."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except OSError as error:
        raise OSError(error.errno, f"{path}: {error.strerror}") from None
    if mode & OTHERS:
        raise OSError(EPERM, f"{path}: others may read or write it (`chmod go= {path}`)")
    certificate = read_certificate(text, path)
    _check_pair(certificate, path)
    return certificate


def _check_pair(certificate: Certificate, path: str) -> None:
    try:
        z85.decode(certificate.public.encode())
        belongs = zmq.curve_public(certificate.secret.encode()).decode() == certificate.public
    except (ValueError, KeyError, zmq.ZMQError):
        belongs = False
    if not belongs:
        raise OSError(EINVAL, f"{path}: its keys are no key pair")
