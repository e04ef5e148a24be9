/**
 * How an answer that streams ended, in the trailers of its chunked body (RFC 9112, 7.1.2): exactly
 * one of these, or it was cut off.
 */

/** `complete` */
export const END_TRAILER = 'cloudvol-end';

/** The error body, percent-encoded. */
export const ERROR_TRAILER = 'cloudvol-error';
