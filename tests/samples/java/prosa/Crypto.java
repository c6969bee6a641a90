// SPDX-License-Identifier: MIT
package prosa;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.spec.NamedParameterSpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Set;

/** Keys, signatures and hashes: the acceptance rule (section 4.5), and all that is hashed or signed. */
final class Crypto {
    static final HexFormat HEX = HexFormat.of();
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final BigInteger P = BigInteger.TWO.pow(255).subtract(BigInteger.valueOf(19));
    private static final BigInteger L =
        BigInteger.TWO.pow(252).add(new BigInteger("27742317777372353535851937790883648493"));
    /** The head of an Ed25519 public key in DER (RFC 8410); the key's octets follow it. */
    private static final byte[] SPKI = HEX.parseHex("302a300506032b6570032100");
    private static final Set<BigInteger> LOW_ORDER = new HashSet<>();

    static { // the 14 encodings of points of low order (KEY-02): seven numbers y, each with either sign bit
        BigInteger one = BigInteger.ONE;
        BigInteger[] numbers = {BigInteger.ZERO, one, P.subtract(one), P, P.add(one),
            number(HEX.parseHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")),
            number(HEX.parseHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"))};
        for (BigInteger y : numbers) {
            LOW_ORDER.add(y);
            LOW_ORDER.add(y.setBit(255));
        }
        // KEY-07: refuse to run on a library that computes the cofactored equation (the vector `key-mixed-order`)
        if (verify(HEX.parseHex("1965b79abed89ab3813e7d047b1290199b2f8ca77ac71940c2bc79c2954835da"),
                HEX.parseHex("077f9ddc0144af4d16de9db597e2f8936e1732eb148c2eb3abaeaa30b13e3a57"
                    + "8adf076fc419046ef2a5a07c2f5e8e3dc863be863e20c9392688a71f34825407"),
                HEX.parseHex("636f666163746f726564206f7220636f666163746f726c6573733f"))) {
            Program.end(1, "this Ed25519 library is unsuitable (KEY-07)");
        }
    }

    private Crypto() {}

    private static BigInteger number(byte[] littleEndian) {
        byte[] octets = new byte[littleEndian.length];
        for (int i = 0; i < octets.length; i++) octets[i] = littleEndian[octets.length - 1 - i];
        return new BigInteger(1, octets);
    }

    /** KEY-01 to KEY-03, for a key as for the R of a signature. */
    static boolean keyIsGood(byte[] point) {
        BigInteger number = number(point);
        return point.length == 32 && !LOW_ORDER.contains(number) && number.clearBit(255).compareTo(P) < 0;
    }

    /** The whole rule: comparisons of octets first, then the equation, which is the library's (KEY-05). */
    static boolean verify(byte[] key, byte[] signature, byte[]... message) {
        if (signature.length != 64 || !keyIsGood(key) || !keyIsGood(Arrays.copyOf(signature, 32))) return false;
        if (number(Arrays.copyOfRange(signature, 32, 64)).compareTo(L) >= 0) return false; // KEY-04
        try {
            PublicKey point = KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(concat(SPKI, key)));
            Signature verifier = Signature.getInstance("Ed25519");
            verifier.initVerify(point);
            verifier.update(concat(message));
            return verifier.verify(signature);
        } catch (GeneralSecurityException error) { // not every good key is a point of the curve
            return false;
        }
    }

    /** A private key of RFC 8032, and the public key that belongs to it. */
    record KeyPair(PrivateKey secret, byte[] key) {
        static KeyPair of(byte[] seed) {
            try { // the generator takes 32 random octets for the seed: here they are
                KeyPairGenerator generator = KeyPairGenerator.getInstance("Ed25519");
                generator.initialize(NamedParameterSpec.ED25519, new SecureRandom() {
                    @Override
                    public void nextBytes(byte[] octets) {
                        System.arraycopy(seed, 0, octets, 0, octets.length);
                    }
                });
                java.security.KeyPair pair = generator.generateKeyPair();
                byte[] encoded = pair.getPublic().getEncoded();
                return new KeyPair(pair.getPrivate(), Arrays.copyOfRange(encoded, SPKI.length, encoded.length));
            } catch (GeneralSecurityException error) {
                throw new IllegalStateException(error);
            }
        }

        /** From a file that only its owner can read, made at the first start (ID-01). */
        static KeyPair load(Path path) throws IOException {
            if (!Files.exists(path)) {
                var owner = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
                byte[] line = (HEX.formatHex(random(32)) + "\n").getBytes(StandardCharsets.US_ASCII);
                try (var file = Files.newByteChannel(path,
                        EnumSet.of(StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW), owner)) {
                    file.write(ByteBuffer.wrap(line));
                }
            }
            return of(HEX.parseHex(Files.readString(path).trim()));
        }

        byte[] sign(byte[]... message) {
            try {
                Signature signer = Signature.getInstance("Ed25519");
                signer.initSign(secret);
                signer.update(concat(message));
                return signer.sign();
            } catch (GeneralSecurityException error) {
                throw new IllegalStateException(error);
            }
        }
    }

    static byte[] random(int length) {
        byte[] octets = new byte[length];
        RANDOM.nextBytes(octets);
        return octets;
    }

    static byte[] concat(byte[]... parts) {
        ByteBuffer all = ByteBuffer.allocate(Arrays.stream(parts).mapToInt(part -> part.length).sum());
        for (byte[] part : parts) all.put(part);
        return all.array();
    }

    static String fingerprint(byte[] key) {
        return HEX.formatHex(sha256(key), 0, 16).replaceAll("(.{4})(?=.)", "$1 ");
    }

    static String suffix(byte[] key) {
        return HEX.formatHex(sha256(key), 14, 16);
    }

    // ---------------------------------------------------------------- what is hashed and signed [4.2, 4.3, chapter 5]
    static byte[] sha256(byte[]... parts) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(concat(parts));
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException(error);
        }
    }

    static byte[] label(String text) {
        return ("PROSA/1 " + text + "\0").getBytes(StandardCharsets.US_ASCII);
    }

    static byte[] u64(long value) {
        return ByteBuffer.allocate(8).putLong(value).array();
    }

    /** AUTH-12: all that was said before the CHALLENGE's signature, its last field of 68 octets. */
    static byte[] th1(byte[] hello, byte[] challenge) {
        return sha256(hello, Arrays.copyOf(challenge, challenge.length - 68));
    }

    static byte[] th2(byte[] hello, byte[] challenge) {
        return sha256(hello, challenge); // AUTH-15
    }

    static boolean challengeIsSigned(byte[] hello, Frame challenge) {
        return verify(challenge.octets("server_key"), challenge.octets("handshake_sig"), label("server-auth"),
            th1(hello, challenge.octets));
    }

    static boolean authIsSigned(byte[] key, byte[] hello, byte[] challenge, Frame auth) {
        return verify(key, auth.octets("handshake_sig"), label("client-auth"), th2(hello, challenge),
            auth.before(Wire.HANDSHAKE_SIG));
    }

    /** The fields of a signed message (MSG-01). */
    static byte[] compose(KeyPair keys, Fields fields) {
        byte[] zone = fields.with("author_key", keys.key).octets();
        return concat(zone, new Fields().with("author_sig", keys.sign(label("message"), zone)).octets());
    }

    static boolean messageIsSigned(Frame frame) {
        return verify(frame.octets("author_key"), frame.octets("author_sig"), label("message"),
            frame.before(Wire.AUTHOR_SIG));
    }

    static byte[] messageId(Frame frame) {
        return sha256(label("message-id"), frame.before(Wire.AUTHOR_SIG)); // MSG-02
    }

    /** MSG-22: the client's key belongs to the private room. */
    static byte[] roomId(byte[] serverKey, byte[] epoch, String room, byte[] clientKey) {
        byte[] name = room.getBytes(StandardCharsets.US_ASCII);
        byte[] owner = room.equals("@host") ? clientKey : new byte[0];
        return sha256(label("room"), serverKey, epoch, new byte[] {(byte) name.length}, name, owner);
    }

    static byte[] chainStart(byte[] room) {
        return sha256(label("chain-start"), room); // AUD-01
    }

    static byte[] chainNext(byte[] previous, long seq, long time, byte[] id) {
        return sha256(label("chain"), previous, u64(seq), u64(time), id);
    }

    static boolean checkpointIsSigned(byte[] key, Frame frame) {
        return verify(key, frame.octets("server_sig"), label("checkpoint"), frame.before(Wire.SERVER_SIG)); // AUD-03
    }
}
