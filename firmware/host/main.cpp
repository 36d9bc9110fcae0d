#include <csignal>
#include <cstdio>

#include "options.hpp"
#include "pieces.hpp"
#include "virtual_node.hpp"

namespace {

volatile bool stop = false;

}  // namespace

int main(int count, char** arguments) {
    using namespace bedside::host;
    const auto options = parse(count, arguments);
    if (!options) {
        std::fputs(usage(), stderr);
        return 2;
    }
    Pieces pieces(options->pieces);
    if (!pieces.is_open()) {
        std::fprintf(stderr, "no samples at %s: give a file of pieces, or -\n",
                     options->pieces.c_str());
        return 2;
    }
    std::signal(SIGTERM, [](int) { stop = true; });
    std::signal(SIGINT, [](int) { stop = true; });
    std::signal(SIGPIPE, SIG_IGN);
    VirtualNode node(*options, pieces);
    return node.run(stop) ? 0 : 1;
}
