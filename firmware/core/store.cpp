#include "store.hpp"

namespace bedside {
namespace {

size_t stride_words(uint16_t samples) {
    return (sizeof(Store::Slot) + batch_bytes(samples) + sizeof(uint32_t) - 1) / sizeof(uint32_t);
}

}  // namespace

Store::Store(uint32_t* words, size_t word_count, uint16_t samples)
    : words_(words), stride_(stride_words(samples)), capacity_(word_count / stride_) {
    if (capacity_ > kNone) {
        capacity_ = kNone;
    }
    for (size_t left = capacity_; left > 0; --left) {
        const auto index = static_cast<Index>(left - 1);
        slot(index).state = State::kFree;
        slot(index).next = free_;
        free_ = index;
    }
}

Store::Index Store::append() {
    const Index index = free_;
    Slot& added = slot(index);
    free_ = added.next;
    added.next = kNone;
    added.previous = newest_;
    if (newest_ == kNone) {
        oldest_ = index;
    } else {
        slot(newest_).next = index;
    }
    newest_ = index;
    ++count_;
    return index;
}

void Store::remove(Index index) {
    Slot& removed = slot(index);
    if (removed.previous == kNone) {
        oldest_ = removed.next;
    } else {
        slot(removed.previous).next = removed.next;
    }
    if (removed.next == kNone) {
        newest_ = removed.previous;
    } else {
        slot(removed.next).previous = removed.previous;
    }
    removed.state = State::kFree;
    removed.next = free_;
    free_ = index;
    --count_;
}

size_t Store::words_for(size_t batches, uint16_t samples) {
    return batches * stride_words(samples);
}

}  // namespace bedside
