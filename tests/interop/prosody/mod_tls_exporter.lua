-- Channel binding over TLS 1.3 (RFC 9266) for Prosody 0.12, which knows tls-unique alone. LuaSec has the
-- bytes, Prosody's own SCRAM does the rest.
local st = require "util.stanza";

local function exporter(sasl)
	return (assert(sasl.userdata["tls-unique"]:exportkeyingmaterial("EXPORTER-Channel-Binding", 32, "")));
end

-- After saslauth, which makes the handler and tells of the mechanisms without channel binding.
module:hook("stream-features", function(event)
	local session, features = event.origin, event.features;
	local handler = session.sasl_handler;
	local mechanisms = features:get_child("mechanisms", "urn:ietf:params:xml:ns:xmpp-sasl");
	if session.username or not mechanisms or session.conn:socket():info().protocol ~= "TLSv1.3" then
		return;
	end
	handler:add_cb_handler("tls-exporter", exporter);
	local bound = {};
	for mechanism in mechanisms:childtags("mechanism") do
		if mechanism:get_text():match("^SCRAM%-") then
			table.insert(bound, mechanism:get_text() .. "-PLUS");
		end
	end
	for _, name in ipairs(bound) do
		mechanisms:add_child(st.stanza("mechanism"):text(name));
	end
	features:tag("sasl-channel-binding", { xmlns = "urn:xmpp:sasl-cb:0" })
		:tag("channel-binding", { type = "tls-exporter" }):up():up();
end, -1);
