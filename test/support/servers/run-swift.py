"""OpenStack Swift in one process, for swift.ts: `run-swift.py FOLDER SECRET`.

Debian's python3-swift has all of it; its packages of servers would start them as services. Prints
the port of the proxy, on 127.0.0.1 like all others, when every server listens.
"""

import getpass
import json
import os
import sys

from swift.common import utils

folder, secret = sys.argv[1:]


def write(name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.write(text)
    return path


write("swift.conf", "[swift-hash]\nswift_hash_path_suffix = test\n")
utils.set_swift_dir(folder)
utils.eventlet_monkey_patch()

import eventlet
from eventlet import wsgi
from swift.common.http_protocol import SwiftHttpProtocol
from swift.common.ring import RingBuilder
from swift.common.wsgi import loadapp

# The logs go to the standard output; the other place is the port that discards.
COMMON = f"""[DEFAULT]
user = {getpass.getuser()}
swift_dir = {folder}
log_level = WARNING
log_udp_host = 127.0.0.1
log_udp_port = 9
"""
STORAGE = f"""devices = {folder}/devices
mount_check = false
fallocate_reserve = 0
[pipeline:main]
pipeline = NAME-server
[app:NAME-server]
use = egg:swift#NAME
"""
PROXY = f"""[pipeline:main]
pipeline = catch_errors listing_formats s3api tempauth bulk slo proxy-server
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
[filter:tempauth]
use = egg:swift#tempauth
user_test_cloudvol = {secret} .admin
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
"""


class Cache:
    """What memcached is to Swift, as far as these servers use it; one process needs no more."""

    def __init__(self):
        self.kept = {}

    def get(self, key, **_):
        return json.loads(self.kept.get(key, "null"))

    def set(self, key, value, **_):
        self.kept[key] = json.dumps(value)

    def delete(self, key, **_):
        self.kept.pop(key, None)


def listen():
    """Of a port that the kernel chose."""
    return eventlet.listen(("127.0.0.1", 0), backlog=1024)


def serve(name, conf, socket):
    swift = loadapp(write(f"{name}.conf", COMMON + conf), global_conf={"log_name": name})
    cache = Cache()

    def app(environment, start_response):
        return swift({"swift.cache": cache, **environment}, start_response)

    options = {"protocol": SwiftHttpProtocol, "capitalize_response_headers": False}
    server = eventlet.spawn(wsgi.server, socket, app, utils.NullLogger(), **options)
    # One that ends, for an error, ends all.
    server.link(lambda _: os._exit(1))


def make_ring(name, port):
    """One replica of 2^3 partitions, on one device that is a folder."""
    ring = RingBuilder(3, 1, 0)
    place = {"ip": "127.0.0.1", "port": port}
    place |= {f"replication_{key}": value for key, value in place.items()}
    ring.add_dev({"region": 1, "zone": 1, "device": "d", "weight": 1, "meta": "", **place})
    ring.rebalance()
    ring.get_ring().save(os.path.join(folder, f"{name}.ring.gz"))


os.makedirs(os.path.join(folder, "devices", "d"))
utils.get_logger({}, log_to_console=True)
for name in "account", "container", "object":
    socket = listen()
    make_ring(name, socket.getsockname()[1])
    serve(name, STORAGE.replace("NAME", name), socket)
socket = listen()
serve("proxy", PROXY, socket)
print("port", socket.getsockname()[1], flush=True)
eventlet.Event().wait()
