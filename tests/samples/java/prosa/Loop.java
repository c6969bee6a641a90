// SPDX-License-Identifier: MIT
package prosa;

import java.io.IOException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.PriorityQueue;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * The one thread that does everything: in each turn first what sockets have for it, then what other threads have
 * posted, then what is due by the clock. So what has arrived is read before anybody's silence is judged (LIVE-06).
 */
final class Loop {
    private record Timer(long at, Runnable task) {}

    private static final long LONG = 60_000; // milliseconds, when nothing is due

    final Selector selector;
    private final Queue<Runnable> posted = new ConcurrentLinkedQueue<>();
    private final PriorityQueue<Timer> timers = new PriorityQueue<>((a, b) -> Long.compare(a.at, b.at));

    Loop() throws IOException {
        selector = Selector.open();
    }

    /** Milliseconds of a clock that never goes back. */
    static long now() {
        return System.nanoTime() / 1_000_000;
    }

    /** From any thread. */
    void post(Runnable task) {
        posted.add(task);
        selector.wakeup();
    }

    void after(long ms, Runnable task) {
        timers.add(new Timer(now() + ms, task));
    }

    /** The lines of stdin, read by a thread of its own, and its end. */
    void readConsole(Program.LineTaker taker, Runnable onEnd) {
        Thread reader = new Thread(() -> {
            Program.readLines(line -> post(() -> taker.take(line)));
            post(onEnd);
        });
        reader.setDaemon(true);
        reader.start();
    }

    /** For ever; the task of a socket is what its key has attached. */
    void run() throws IOException {
        while (true) {
            long wait = timers.isEmpty() ? LONG : timers.peek().at - now();
            if (wait > 0) selector.select(this::serve, wait);
            else selector.selectNow(this::serve);
            for (Runnable task = posted.poll(); task != null; task = posted.poll()) task.run();
            for (long now = now(); !timers.isEmpty() && timers.peek().at <= now; ) timers.poll().task.run();
        }
    }

    private void serve(SelectionKey key) {
        if (key.isValid()) ((Runnable) key.attachment()).run();
    }
}
