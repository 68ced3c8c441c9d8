/**
 * Our extension packets for a client whose address changes (a NAT forgot it, a phone changed networks): what they say. Peers
 * of the standard ignore types from 7 on; and a client sends these only with an id that the server gave it.
 *
 *     type 8, path              prefix | sequence | id 8 | { kind u8 | data 8 | from a client: id 8, zeros 7 } | tag 16
 *     type 9, payload with id   prefix | sequence | id 8 | { 1 .. 1,200 bytes } | tag 16       from a client only
 *
 * Both are sealed with the session's keys, under its own packet numbers. The id in the clear only finds the session: its keys
 * say whether the packet is authentic. An id changed on the way leads to no keys or to others, and the packet does not open;
 * changed into another id of the same session it opens, so path packets repeat it inside.
 */

/** Client: "this is where I am". Data: zeros. */
export const PATH_REQUEST = 1;
/** Server, to the address that a packet came from: "do you hear me there?". Data: 8 random bytes. */
export const PATH_CHALLENGE = 2;
/** Client: "yes". Data: the bytes of the challenge. */
export const PATH_RESPONSE = 3;
/** Server: "this id is in use, and where you are is where I send to". Data: 1 when the host has changed too, then zeros. */
export const PATH_CONFIRMED = 4;
/** Server: "I know, you have not moved; the id stays unused". Data: zeros. */
export const PATH_UNCHANGED = 5;

export const PATH_DATA_BYTES = 8;
/** The longest path packet of a server: prefix, number, id, kind and data, tag. Nothing shorter is answered by one. */
export const PATH_ANSWER_BYTES_MAX = 42;
