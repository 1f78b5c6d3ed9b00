#include "daemon/scheduling/turn.hpp"

namespace wharf::scheduling {

Awaitable<Turn> wait_for_turn(RateGate& gate, Connections& connections, Connections::Claim claim,
                              hub::Token token, std::shared_ptr<WaitNote> note,
                              std::chrono::seconds longest, std::function<bool()> is_moot) {
    Turn turn;
    do { // closed while we waited for a connection: wait without keeping others from connecting
        turn.connection.release();
        turn.leave =
            co_await gate.pass(claim.host, token, hub::Bucket::files, note, longest, is_moot);
        if (!turn.leave) {
            co_return turn;
        }
        turn.connection = co_await connections.acquire(claim);
    } while (gate.is_closed(claim.host, token, hub::Bucket::files));
    co_return turn;
}

} // namespace wharf::scheduling
