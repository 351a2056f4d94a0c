"""An XMPP client on slixmpp that tells what it sees, a line each.

    peer.py JID HOST PORT CA starttls|direct [--mechanism NAME] [--password WORD]
            [--befriend JID] [--say TEXT] [--echo] [--until TEXT]

It approves whoever wants to see it, and asks to see them too. `--befriend` asks somebody first; when they
are seen, `--say` is sent to them. `--echo` answers every message with its text. It ends in order when it
has received the text of `--until`, or at once when it is not let in.
"""

import argparse
import asyncio
import ssl
import sys

from slixmpp import ClientXMPP


def tell(*words):
    print(*words, flush=True)


class Peer(ClientXMPP):
    def __init__(self, args):
        super().__init__(args.jid, args.password, sasl_mech=args.mechanism)
        self.args = args
        self.said = False
        self.code = 0
        self.ca_certs = args.ca
        # One way in, so that what is tested is what was asked for.
        self.enable_direct_tls = args.tls == "direct"
        self.enable_starttls = args.tls == "starttls"
        self.enable_plaintext = False
        self.auto_authorize = True
        self.auto_subscribe = True
        self.register_plugin("xep_0030")
        self.register_plugin("xep_0199")
        self.add_event_handler("session_start", self.start)
        self.add_event_handler("presence_available", self.seen)
        self.add_event_handler("presence_unavailable", self.gone)
        self.add_event_handler("message", self.heard)
        self.add_event_handler("failed_auth", self.refused)
        self.add_event_handler("failed_all_auth", self.refused_all)
        self.add_event_handler("disconnected", self.over)

    async def start(self, _):
        mechanism = self.plugin["feature_mechanisms"].mech.name
        version = self.socket.version() if isinstance(self.socket, (ssl.SSLObject, ssl.SSLSocket)) else "none"
        tell("online", self.boundjid.full, mechanism, version)
        self.send_presence()
        roster = await self.get_roster()
        tell("roster", len(roster["roster"]["items"]))
        info = await self.plugin["xep_0030"].get_info(jid=self.boundjid.host)
        tell("server", *sorted(info["disco_info"]["features"]))
        await self.plugin["xep_0199"].ping(self.boundjid.host)
        tell("pinged")
        try:
            await self.plugin["xep_0030"].get_items(jid=self.boundjid.host, node="no-such-node")
        except Exception as error:  # what it is called differs; what the server says counts
            tell("error", error.condition)
        if self.args.befriend:
            self.send_presence_subscription(pto=self.args.befriend)

    def seen(self, presence):
        who = presence["from"].bare
        if who == self.boundjid.bare:
            return
        tell("seen", who)
        if who == self.args.befriend and self.args.say and not self.said:
            self.said = True
            self.send_message(mto=presence["from"], mbody=self.args.say, mtype="chat")

    def gone(self, presence):
        tell("gone", presence["from"].bare)

    def heard(self, message):
        if message["type"] == "error":
            tell("bounced", message["error"]["condition"])
            return
        body = message["body"]
        tell("heard", message["from"].bare, body)
        if self.args.echo:
            self.send_message(mto=message["from"], mbody=f"echo: {body}", mtype="chat")
        if body == self.args.until:
            self.disconnect(wait=2)

    def refused(self, failure):
        tell("refused", failure["condition"])

    def refused_all(self, _):
        self.code = 10
        self.disconnect()

    def over(self, _):
        tell("over")
        self.loop.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("jid")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("ca")
    parser.add_argument("tls", choices=["starttls", "direct"])
    parser.add_argument("--password", default="seven-wet-herons")
    parser.add_argument("--mechanism")
    parser.add_argument("--befriend")
    parser.add_argument("--say")
    parser.add_argument("--echo", action="store_true")
    parser.add_argument("--until")
    args = parser.parse_args()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    peer = Peer(args)
    peer.connect(args.host, args.port)
    loop.run_forever()
    sys.exit(peer.code)


main()
