"""Sets up an authenticator app (pyotp) and a passkey of each algorithm (python-fido2) for an account, and signs in with each.

Variables: URL, CA, EMAIL, PASSWORD. Exits with a traceback when the server does not do what these libraries expect.
"""
import json
import os
import secrets

import pyotp
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from fido2.cose import ES256, RS256, EdDSA
from fido2.utils import sha256
from fido2.webauthn import (
    AttestationObject,
    AttestedCredentialData,
    AuthenticationResponse,
    AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse,
    AuthenticatorData,
    CollectedClientData,
    PublicKeyCredentialCreationOptions,
    PublicKeyCredentialRequestOptions,
    RegistrationResponse,
)

URL = os.environ["URL"]
FLAG = AuthenticatorData.FLAG
VERIFIED = FLAG.UP | FLAG.UV
KEYS = {
    ES256: (lambda: ec.generate_private_key(ec.SECP256R1()), lambda key, data: key.sign(data, ec.ECDSA(hashes.SHA256()))),
    EdDSA: (ed25519.Ed25519PrivateKey.generate, lambda key, data: key.sign(data)),
    RS256: (
        lambda: rsa.generate_private_key(65537, 2048),
        lambda key, data: key.sign(data, padding.PKCS1v15(), hashes.SHA256()),
    ),
}


def expect(response, status):
    assert response.status_code == status, (response.url, response.status_code, response.text)
    return response


def browser():
    session = requests.Session()
    # Variables of the environment would take precedence over this CA.
    session.trust_env = False
    session.verify = os.environ["CA"]
    session.headers.update({"Sec-Fetch-Site": "same-origin", "Accept": "text/html"})
    return session


def page(session, path, status, **fields):
    return expect(session.post(URL + path, data=fields, allow_redirects=False), status)


def options(session, path, kind):
    return kind.from_dict(expect(session.post(f"{URL}{path}/options"), 200).json())


def set_up_app():
    """Sets up an app through the API. Returns its codes."""
    session = browser()
    account = {"email": os.environ["EMAIL"], "password": os.environ["PASSWORD"]}
    token = expect(session.post(f"{URL}/api/v1/tokens", json=account), 201).json()["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    new = expect(session.post(f"{URL}/api/v1/account/authenticators", headers=bearer), 201).json()
    app = pyotp.TOTP(new["key"].replace(" ", ""))
    confirmation = f"{URL}/api/v1/account/authenticators/{new['id']}/confirmation"
    confirmed = expect(session.post(confirmation, headers=bearer, json={"code": app.now()}), 200)
    wrong = {**account, "code": app.at(0)}
    expect(session.post(f"{URL}/api/v1/tokens", json=wrong), 401)
    return confirmed.json()["recovery_codes"]


def set_up_passkey(session, algorithm):
    """Sets up a passkey on the page of a session. Returns what signs in with it."""
    create = options(session, "/second-factor/passkey", PublicKeyCredentialCreationOptions)
    assert algorithm.ALGORITHM in [it.alg for it in create.pub_key_cred_params]
    generate, sign = KEYS[algorithm]
    key, credential_id = generate(), secrets.token_bytes(48)
    rp_id_hash = sha256(create.rp.id.encode())
    credential = AttestedCredentialData.create(
        bytes(16), credential_id, algorithm.from_cryptography_key(key.public_key())
    )
    data = AuthenticatorData.create(rp_id_hash, VERIFIED | FLAG.AT, 0, credential)
    attestation = AuthenticatorAttestationResponse(
        client_data=CollectedClientData.create("webauthn.create", create.challenge, URL),
        attestation_object=AttestationObject.create("none", data, {}),
    )
    response = RegistrationResponse(raw_id=credential_id, response=attestation)
    page(session, "/second-factor/passkey", 200, response=json.dumps(dict(response)))

    def answer(path, count):
        another = browser()
        get = options(another, path, PublicKeyCredentialRequestOptions)
        client_data = CollectedClientData.create("webauthn.get", get.challenge, URL)
        data = AuthenticatorData.create(rp_id_hash, VERIFIED, count)
        assertion = AuthenticatorAssertionResponse(
            client_data=client_data,
            authenticator_data=data,
            signature=sign(key, data + client_data.hash),
            user_handle=create.user.id,
        )
        response = AuthenticationResponse(raw_id=credential_id, response=assertion)
        page(another, path, 303, response=json.dumps(dict(response)))
        expect(another.get(f"{URL}/patients"), 200)

    return answer


codes = set_up_app()
for algorithm in KEYS:
    session = browser()
    account = {"email": os.environ["EMAIL"], "password": os.environ["PASSWORD"], "code": codes.pop()}
    page(session, "/sign-in", 303, **account)
    answer = set_up_passkey(session, algorithm)
    for count in (1, 2):
        answer("/sign-in/passkey", count)
print("an app and", len(KEYS), "passkeys")
